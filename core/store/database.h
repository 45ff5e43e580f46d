// marram.db, opened for writing: tables, and one transaction at a time.
//
// Single-threaded and synchronous, so that the simulator can run it as it is;
// core/store/committer.h drives it.  After an error of a function that returns a
// Status the object may only be destroyed: what it remembers of the tables is no
// longer what is on disk.
//
// Durability: commit() returns after the sync that begin() was asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/store/consumer_table.h"
#include "core/store/copy_table.h"
#include "core/store/copy_writer.h"
#include "core/store/event_table.h"
#include "core/store/gap_table.h"
#include "core/store/hold_table.h"
#include "core/store/holds.h"
#include "core/store/log_table.h"
#include "core/store/retention.h"
#include "core/store/room.h"
#include "core/store/sqlite.h"
#include "core/store/store.h"
#include "core/store/wal.h"

namespace marram::store {

// How sure a commit is: Sync survives a power cut.
enum class CommitKind { Sync, NoSync };

class Database {
 public:
  // Opens or makes the file at `path`.  `options` and `disk` outlive the object.
  //
  // Errors: Version, Corrupt, Full, Io
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path,
                                                const StoreOptions& options, const DiskSpace& disk,
                                                WallTime now);

  Status begin(CommitKind kind);
  Status commit();

  // The recorded time that append() gives to events is `now`, or a little more where
  // the clock has not moved on since the last commit.
  void set_time(WallTime now);
  WallTime recorded() const { return recorded_; }

  // Before the first append() of a transaction, which will have about `bytes` (the
  // sum of stored_bytes()): trims history where there is too little room.
  Status make_room(std::uint64_t bytes);
  // Whether there is room for one event of `bytes`; drops older ones of its stream
  // where that is the stream's policy.
  Result<bool> admit(std::uint64_t bytes, std::size_t stream);
  // The same for a stretch of a copy, which is stored whole or not at all.
  Result<bool> admit(const CopyWrite& write);
  // Why admit() said no.
  Error full_error(std::size_t stream);

  // Gives the event its position in the log of `stream` and stores it, unless the
  // stream is one of memory.
  Status append(EventView& event, std::size_t stream);
  // Moves of consumers or logs that are gone are passed over.
  Status move(const CursorMove& move, WallTime now);
  Status save(const MeshFacts& facts);
  // Its row and all that speaks of it.
  Status forget_log(std::uint32_t no);
  // A transaction of its own that deletes one stretch of what the streams' rules ask
  // for.  True: there is more.
  Result<bool> retain(WallTime now);

  // Reads every page.  Errors: Corrupt  with what was found first
  Status check();

  LogTable& logs() { return logs_; }
  ConsumerTable& consumers() { return consumers_; }
  GapTable& gaps() { return gaps_; }
  CopyWriter& copies() { return copy_writer_; }
  HoldTable& peers() { return peers_; }
  Holds& holds() { return holds_; }
  const MeshFacts& facts() const { return facts_; }
  Retention& retention() { return retention_; }
  Room& room() { return room_; }
  Wal& wal() { return *wal_; }
  Connection& connection() { return connection_; }

 private:
  Database(Connection connection, const StoreOptions& options, const DiskSpace& disk);
  Status load(WallTime now);
  Status load_facts();
  Status forget_finished_logs(WallTime now);
  Result<bool> finished(const LogState& log, WallTime now);

  Connection connection_;
  const StoreOptions& options_;
  std::unique_ptr<Wal> wal_;
  LogTable logs_;
  EventTable events_;
  ConsumerTable consumers_;
  GapTable gaps_;
  CopyTable copies_;
  HoldTable peers_;
  Holds holds_;
  Retention retention_;
  CopyWriter copy_writer_;
  Room room_;
  Statement begin_;
  Statement commit_;
  Statement save_fact_;
  Statement remove_fact_;
  MeshFacts facts_;
  CommitKind kind_ = CommitKind::Sync;
  WallTime recorded_{};
  std::uint64_t left_ = 0;  // bytes, as far as admit() knows
};

}  // namespace marram::store
