// The logs that this node has: where each begins and ends, and those that this
// run writes.
//
// What stands here is part of the open transaction: save_changed() writes it
// before the commit.  After a failed commit the table is thrown away and loaded
// again, and the next event opens a new epoch.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/event/stream.h"
#include "core/store/records.h"
#include "core/store/sqlite.h"

namespace marram::store {

struct LogState {
  LogRecord record;
  std::size_t stream = 0;     // index in the stream table; the last one where it is unknown
  std::uint64_t total = 0;    // bytes of all events up to the head
  std::uint64_t trimmed = 0;  // bytes of those before `first`
  WallTime recorded{};        // of the head
  std::optional<WallTime> first_recorded;  // of `first`; empty: to be looked up
  bool changed = false;                    // since the last save_changed()
};

class LogTable {
 public:
  // `streams` outlives the table.
  explicit LogTable(const StreamTable& streams) : streams_(streams) {}

  // Reads all logs; makes the node id where there is none.
  Status load(Connection& connection);

  // The log of this run for a stream; opens it, and before it the epoch.
  Result<LogState*> current(std::size_t stream);
  LogState* find(std::uint32_t no);
  std::map<std::uint32_t, LogState>& all() { return logs_; }
  const std::map<std::uint32_t, LogState>& all() const { return logs_; }

  // Whether current(stream) would open a log.
  bool opens(std::size_t stream) const;

  // To be called when a log has been changed.
  void touch(LogState& log);
  // Writes the changed ones; saved() tells which, until the next save.
  Status save_changed();
  const std::vector<LogState*>& saved() const { return saved_; }
  // Forgets a log, whose rows are gone.
  Status forget(std::uint32_t no);

  const std::string& node_id() const { return node_id_; }
  // The highest recorded time of all logs.
  WallTime recorded() const { return recorded_; }

 private:
  Status load_node_id(Connection& connection);
  Status load_logs(Connection& connection);
  Status open_epoch();
  Result<LogState*> open_log(std::size_t stream);
  std::size_t stream_index(std::string_view name) const;
  Result<std::int64_t> next_number(std::string_view name);

  const StreamTable& streams_;
  std::string node_id_;
  std::string epoch_;  // empty: no event in this run yet
  std::map<std::uint32_t, LogState> logs_;
  std::vector<LogState*> current_;  // by stream; null: not opened
  std::vector<LogState*> changed_;
  std::vector<LogState*> saved_;
  WallTime recorded_{};
  Statement insert_;
  Statement update_;
  Statement forget_;
  Statement count_;
};

}  // namespace marram::store
