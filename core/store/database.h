// marram.db, opened for writing: tables, and one transaction at a time.
//
// Single-threaded and synchronous, so that the simulator can run it as it is;
// core/store/committer.h drives it.  After an error in or between begin() and
// commit() the object may only be destroyed: what it remembers of the tables is
// no longer what is on disk.
//
// Durability: commit() returns after the sync that begin() was asked for.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/base/limits.h"
#include "core/event/bus.h"
#include "core/store/consumer_table.h"
#include "core/store/event_table.h"
#include "core/store/log_table.h"
#include "core/store/sqlite.h"
#include "core/store/store.h"
#include "core/store/wal.h"

namespace marram::store {

// How sure a commit is: Sync survives a power cut.
enum class CommitKind { Sync, NoSync };

class Database {
 public:
  // Opens or makes the file at `path`.  `options` outlives the object.
  //
  // Errors: Version, Corrupt, Full, Io
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path,
                                                const StoreOptions& options);

  Status begin(CommitKind kind);
  // Gives the event its position in the log of `stream` and stores it, unless the
  // stream is one of memory.
  Status append(EventView& event, std::size_t stream);
  // Moves of consumers or logs that are gone are passed over.
  Status move(const CursorMove& move, WallTime now);
  // What was appended since begin() has the recorded time `now`, or a little more
  // where the clock has not moved on since the last commit.
  Status commit();
  // Sets what append() gives to events as recorded time; strictly grows.
  void set_time(WallTime now);

  LogTable& logs() { return logs_; }
  ConsumerTable& consumers() { return consumers_; }
  Wal& wal() { return *wal_; }
  Connection& connection() { return connection_; }
  WallTime recorded() const { return recorded_; }

  // Reads every page.  Errors: Corrupt  with what was found first
  Status check();

 private:
  Database(Connection connection, const StoreOptions& options);
  Status load();

  Connection connection_;
  const StoreOptions& options_;
  std::unique_ptr<Wal> wal_;
  LogTable logs_;
  EventTable events_;
  ConsumerTable consumers_;
  Statement begin_;
  Statement commit_;
  CommitKind kind_ = CommitKind::Sync;
  WallTime recorded_{};
};

}  // namespace marram::store
