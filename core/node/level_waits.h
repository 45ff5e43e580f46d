// Publishers that wait for their events to be replicated or delivered.
//
// Both are reached in the order of a log: whoever has reached a position has
// reached all before it, from where it began.  So a wait is one position a log.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/event/event.h"

namespace marram {

class LevelWaits {
 public:
  // True: reached; false: the time is over.
  using Done = std::function<void(bool reached)>;

  // `what` is the level as text; of each log in `missing` one position.
  void add(const std::string& what, const std::vector<Position>& missing, TimePoint until,
           Done done);
  // Everything in `log` up to `upto` has reached `what`, or, with `is_so`, that for which it is so.
  void on_reached(const std::string& what, std::uint32_t log, std::uint64_t upto,
                  const std::function<bool(std::uint64_t seq)>& is_so = {});
  void on_tick(TimePoint now);
  std::optional<TimePoint> wake_at() const;

  bool empty() const { return waits_.empty(); }
  std::size_t size() const { return waits_.size(); }
  // The logs in which somebody waits for `what`.
  std::vector<std::uint32_t> logs(const std::string& what) const;

 private:
  struct Wait {
    std::size_t open = 0;  // logs
    TimePoint until{};
    Done done;
    std::vector<std::pair<std::string, Position>> places;
  };
  using Waiting = std::multimap<std::uint64_t, std::uint64_t>;  // seq to wait

  void end(std::uint64_t id, bool reached);

  std::unordered_map<std::uint64_t, Wait> waits_;
  std::map<std::pair<std::string, std::uint32_t>, Waiting> by_log_;
  std::set<std::pair<TimePoint, std::uint64_t>> by_time_;
  std::uint64_t next_ = 1;
};

}  // namespace marram
