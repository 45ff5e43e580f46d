// The logs that this node has: where each begins and ends, those that this run
// writes, and copies of others.
//
// What stands here is part of the open transaction: save_changed() writes it
// before the commit.  After a failed commit the table is thrown away and loaded
// again, and the next event opens a new epoch.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/event/stream.h"
#include "core/store/records.h"
#include "core/store/sqlite.h"

namespace marram::store {

struct LogState {
  LogRecord record;
  std::size_t stream = 0;     // index in the stream table; the last one where it is unknown
  bool mixed = false;         // has topics that belong to another stream here
  std::uint64_t total = 0;    // bytes of all events up to the head, but for backfilled ones
  std::uint64_t trimmed = 0;  // of those before `first`
  WallTime recorded{};        // of the newest event
  std::optional<WallTime> first_recorded;  // of `first`; empty: to be looked up
  std::optional<BackfillRecord> backfill;
  std::uint64_t born = 0;   // the head with which it was made in this process
  WallTime made{};          // of a copy: when, in this process
  Uuid head_uuid;           // of the event appended last; record.head_id follows when it is saved
  std::string head_text;    // its id where that is text
  bool head_moved = false;  // append() has been here since
  bool changed = false;     // since the last save_changed()

  bool in_memory() const { return record.durability == Durability::Memory; }
  // Bytes of events that came behind later ones and are in no total.
  std::uint64_t backfilled_bytes() const { return record.bytes - (total - trimmed); }
  // After append().
  void note_head();
};

class LogTable {
 public:
  // `streams` outlives the table.
  // `node_id` empty: the database's own.  `epoch_random`: see StoreOptions.
  explicit LogTable(const StreamTable& streams, std::string node_id = {},
                    std::function<std::string()> epoch_random = {})
      : streams_(streams), node_id_(std::move(node_id)), epoch_random_(std::move(epoch_random)) {}

  // Reads all logs; makes the node id where there is none.
  Status load(Connection& connection);

  // The log of this run for a stream; opens it, and before it the epoch.
  Result<LogState*> current(std::size_t stream);
  LogState* find(std::uint32_t no);
  LogState* find(const LogId& id);
  const LogState* find(const LogId& id) const;
  std::map<std::uint32_t, LogState>& all() { return logs_; }
  const std::map<std::uint32_t, LogState>& all() const { return logs_; }

  // Whether current(stream) would open a log.
  bool opens(std::size_t stream) const;
  // A copy that begins after `after`, of which nothing is stored.
  Result<LogState*> make_copy(const CopyWrite& write);
  // Closes the logs of this run; the next event opens an epoch.  The answer: which.
  std::vector<LogState*> end_epoch();
  // The next epoch's start number will be higher.
  void raise_runs(std::uint64_t runs) { runs_ = std::max(runs_, runs); }

  // To be called when a log has been changed.
  void touch(LogState& log);
  // Writes the changed ones; saved() tells which, until the next save.
  Status save_changed();
  const std::vector<LogState*>& saved() const { return saved_; }
  // Numbers of the logs that are new since the last call.
  std::vector<std::uint32_t> take_made() { return std::exchange(made_, {}); }
  // Forgets a log, whose rows are gone.
  Status forget(std::uint32_t no);

  const std::string& node_id() const { return node_id_; }
  // Where the stream of that name stands; the last one where there is none.
  std::size_t stream_index(std::string_view name) const;
  // Of the log of that name, or of one to come.
  Durability durability(const CopyWrite& write) const;
  // The highest recorded time of this node's own logs.
  WallTime recorded() const { return recorded_; }

 private:
  Status load_node_id(Connection& connection);
  Status load_logs(Connection& connection);
  LogState read_log(const Statement& row) const;
  Status open_epoch();
  Result<LogState*> open_log(std::size_t stream);
  Result<LogState*> insert(LogState log);
  Result<std::int64_t> next_number(std::string_view name, std::uint64_t above = 0);

  const StreamTable& streams_;
  std::string node_id_;
  const std::function<std::string()> epoch_random_;
  std::string epoch_;  // empty: no event in this run yet
  std::uint64_t runs_ = 0;
  std::map<std::uint32_t, LogState> logs_;
  std::unordered_map<std::string, LogState*> by_id_;  // by LogId::text()
  std::vector<LogState*> current_;                    // by stream; null: not opened
  std::vector<LogState*> changed_;
  std::vector<LogState*> saved_;
  std::vector<std::uint32_t> made_;
  WallTime recorded_{};
  Statement insert_;
  Statement update_;
  Statement forget_;
  Statement count_;
};

}  // namespace marram::store
