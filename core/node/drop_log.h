// Events that went before somebody had them, as lines of the log.
//
// Of each stream and reason a line at once, and no more than one a minute after it, which says
// how many went since the last one.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace marram {

class DropLog {
 public:
  explicit DropLog(Log& log) : log_(log) {}

  void add(const std::string& stream, const std::string& reason, std::uint64_t events,
           TimePoint now);
  // Writes what waits for its time.
  void run(TimePoint now);
  // When run() has something to do.
  std::optional<TimePoint> wake_at() const { return wake_at_; }

 private:
  struct Untold {
    TimePoint free_at{};  // when the next line may be written
    std::uint64_t events = 0;
  };
  using Key = std::pair<std::string, std::string>;  // stream, reason

  void tell(const Key& key, std::uint64_t events);

  Log& log_;
  std::map<Key, Untold> untold_;
  std::optional<TimePoint> wake_at_;
};

}  // namespace marram
