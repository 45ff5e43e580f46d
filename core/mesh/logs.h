// The logs that this node has heard of: what it has of each, what others say of it.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/event/log_record.h"
#include "core/mesh/values.h"

namespace marram::mesh {

struct LogIdLess {
  bool operator()(const LogId& a, const LogId& b) const {
    return std::tie(a.origin, a.epoch, a.stream) < std::tie(b.origin, b.epoch, b.stream);
  }
};

// Of the run that an epoch names; 0: it names none.
std::uint64_t start_number(const std::string& epoch);

struct Log {
  std::uint32_t index = 0;  // in Logs, never used twice
  LogId id;
  bool own = false;                 // written by this node, in this run or an earlier one
  std::optional<LogRecord> record;  // what is stored; empty: nothing yet
  std::optional<BackfillRecord> backfill;
  std::vector<std::string> topics;  // of its stream; none: any
  Durability durability = Durability::Fsync;
  Priority priority = Priority::Normal;
  std::map<std::string, wire::HaveEntry> have;  // by neighbour
  TimePoint heard{};                            // of it, for the first time
  std::vector<std::uint64_t> followers;         // durable readers that had its origin's runs then
  std::optional<WallTime> whole_since;          // whole_from is the first event recorded since then
  bool closed = false;                          // nobody writes it any more
  bool forked = false;                          // two events with one position have been seen
  bool planned = false;                         // what is to be asked of it is known, once
  bool waits = false;                           // what this node asks for has no answer yet
  // Of what this run writes: the first and the last of what was sent to peers.
  struct Sent {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };
  std::optional<Sent> sent;

  bool writes() const { return own && record && record->open; }
  bool whole() const { return record && record->whole_from != 0; }
  std::uint64_t head() const { return record ? record->head : 0; }
};

class Logs {
 public:
  explicit Logs(std::size_t logs_max) : logs_max_(logs_max) {}

  // Null: there are too many, unless it is `always` to be known.  `is_new` says whether it was not.
  Log* add(const LogId& id, bool always, bool& is_new);
  Log* find(const LogId& id);
  Log* find_no(std::uint32_t no);
  Log* at(std::uint32_t index);
  void set_record(Log& log, const LogRecord& record);
  void forget(std::uint32_t index);
  // Whether some log of this one's origin and stream is so.
  bool any_of_origin(const LogId& id, const std::function<bool(const Log&)>& is_so) const;
  // Whether some log of a stream is so.
  bool any_of_stream(const std::string& stream, const std::function<bool(const Log&)>& is_so) const;
  // The names of the streams that there are logs of, in order.
  std::set<std::string> streams() const;
  const std::map<std::uint32_t, std::unique_ptr<Log>>& all() const { return logs_; }
  std::size_t size() const { return logs_.size(); }

 private:
  std::size_t logs_max_;
  std::uint32_t next_ = 1;
  std::map<std::uint32_t, std::unique_ptr<Log>> logs_;
  std::map<LogId, std::uint32_t, LogIdLess> by_id_;
  std::unordered_map<std::uint32_t, Log*> by_index_;  // as logs_, for looking up
  std::unordered_map<std::uint32_t, std::uint32_t> by_no_;
  std::unordered_map<std::string, std::unordered_set<std::uint32_t>> by_stream_;
};

}  // namespace marram::mesh
