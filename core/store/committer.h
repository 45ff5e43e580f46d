// Carries out commands, a group in one transaction, and answers them.
//
//            open()                   run(): commit fails
//     Closed --------> Open ------------------------------> Failed
//                        ^                                    |
//                        +------ reopened, new epoch ---------+  tried at once, but
//                                                                once a second at most
//
// Single-threaded and synchronous: core/store/writer.h puts a thread around it,
// the simulator calls it directly.
//
// Durability: a command is answered after the commit, or with the error.  What a
// failed transaction had is answered with the error, though some of it may turn
// out to be stored when the database is open again; that is told to the
// StoreListener then, so that no stored event is left out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/store/board.h"
#include "core/store/command.h"
#include "core/store/database.h"
#include "core/store/disk_space.h"
#include "core/store/group.h"
#include "core/store/move_queue.h"
#include "core/store/store.h"

namespace marram::store {

// Somebody else in this process who has the database open.
class FileUser {
 public:
  virtual ~FileUser() = default;
  // Closes it, and does not open it again before resume().
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class Committer {
 public:
  // All outlive the object.
  Committer(const StoreOptions& options, StoreListener& listener, Log& log, const Clock& clock,
            Board& board);

  // Errors: as Store::open()
  Status open();
  void share_with(FileUser& user) { user_ = &user; }

  // One transaction for all of them, in order.  Moves of cursors may stay for a
  // later one, see tend().
  void run(std::span<Command> commands);

  // What is to be done without being asked; at once when it has nothing else to do
  // (`idle`).  The answer: when to call again.
  std::optional<Duration> tend(bool idle);

  // A reader has met a damaged page: looks, and repairs.
  void check();

  // Commits what is left and checkpoints.
  void close();

  // Before the first run().
  const std::string& node_id() const { return node_id_; }
  std::vector<ConsumerRecord> consumers() const;
  MeshRecords mesh_records() const;
  WallTime recorded() const { return database_->recorded(); }

 private:
  bool ensure_open();
  Status open_database();
  Status open_as_it_is();
  Status reopen();
  Status repair(const Error& damage);
  void give_up(const Error& error);
  void queue(const Command& command, TimePoint now);
  Status transact(Group& group, bool with_moves);
  Status apply_moves();
  void take_moves();
  CommitKind kind_of_moves();
  void finish(Group& group, bool with_moves);
  void tell_opened();
  void tell_unknown();
  void tell_unknown(const LogState& log, std::uint64_t known);
  void tell_gone();
  void tell_trims();
  bool say_full(const Error& error);  // whether it did: once in a while
  void show(const Group& group, bool on_disk, Duration took);
  Status retain(TimePoint now);
  Status checkpoint(bool rested);
  std::optional<Duration> next_tend(TimePoint now) const;

  const StoreOptions& options_;
  StoreListener& listener_;
  Log& log_;
  const Clock& clock_;
  Board& board_;
  FileUser* user_ = nullptr;
  DiskSpace disk_;
  std::unique_ptr<Database> database_;
  std::string node_id_;
  std::optional<Error> failure_;
  bool suspect_ = false;       // of what the disk has, since a write or sync failed
  bool said_failure_ = false;  // in the log
  bool full_ = false;          // something was refused for lack of room
  TimePoint retry_at_{};
  MoveQueue moves_;
  std::vector<Pin> pins_;
  TimePoint busy_until_{};  // no checkpoint for idleness before
  TimePoint retain_at_{};
  TimePoint check_at_{};
  std::optional<TimePoint> said_full_;           // in the log
  std::map<std::uint32_t, std::uint64_t> told_;  // head of each log, as told to the listener
  std::vector<std::uint32_t> ended_;             // were open when the disk failed
};

}  // namespace marram::store
