// Carries out commands, a group in one transaction, and answers them.
//
//            open()                   run(): commit fails
//     Closed --------> Open ------------------------------> Failed
//                        ^                                    |
//                        +------ reopened, new epoch ---------+  tried at once, then
//                                                                every second
//
// Single-threaded and synchronous: core/store/writer.h puts a thread around it,
// the simulator calls it directly.
//
// Durability: a command is answered after the commit, or with the error.  What a
// failed transaction had is answered with the error, though some of it may turn
// out to be stored when the database is open again; that is told to the
// StoreListener then, so that no stored event is left out.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/log.h"
#include "core/store/board.h"
#include "core/store/command.h"
#include "core/store/database.h"
#include "core/store/store.h"

namespace marram::store {

class Committer {
 public:
  // All outlive the object.
  Committer(const StoreOptions& options, StoreListener& listener, Log& log, const Clock& clock,
            Board& board);
  ~Committer();

  // Errors: as Store::open()
  Status open();

  // One transaction for all of them, in order.  Moves of cursors may stay for a
  // later one, see tend().
  void run(std::span<Command> commands);

  // What is to be done without being asked; at once when it has nothing else to do
  // (`idle`).  The answer: when to call again.
  std::optional<Duration> tend(bool idle);

  // Commits what is left and checkpoints.
  void close();

  // Before the first run().
  const std::string& node_id() const { return node_id_; }
  std::vector<ConsumerRecord> consumers() const;
  WallTime recorded() const { return database_->recorded(); }

 private:
  struct Group;

  bool ensure_open();
  Status open_database();
  Group plan(std::span<Command> commands);
  void plan_event(Group& group, const EventView& event);
  void plan_moves(Group& group);
  Status apply(Group& group);
  Status apply(Group& group, SubmitCommand& command, std::size_t index);
  Status apply(Group& group, PutConsumerCommand& command, std::size_t index);
  Status apply(Group& group, RemoveConsumerCommand& command, std::size_t index);
  Status apply(Group& group, SaveCursorsCommand& command, std::size_t index);
  void finish(Group& group, Duration took);
  void publish(SubmitCommand& command, std::vector<Status> refusals);
  void fail_all(std::span<Command> commands, const Error& error);
  void give_up(const Error& error);
  TimePoint moves_due(TimePoint now) const;
  void fold_moves();
  void tell_opened();
  void tell_unknown();
  std::optional<Duration> next_tend(TimePoint now) const;

  const StoreOptions& options_;
  StoreListener& listener_;
  Log& log_;
  const Clock& clock_;
  Board& board_;
  std::unique_ptr<Database> database_;
  std::string node_id_;
  std::optional<Error> failure_;
  TimePoint retry_at_{};
  std::vector<CursorMove> moves_;      // waiting for a commit
  TimePoint moves_due_{};
  TimePoint events_committed_{};       // when events were committed last
  TimePoint busy_until_{};             // no checkpoint for idleness before
  std::map<std::uint32_t, std::uint64_t> told_;  // head of each log, as told to the listener
};

}  // namespace marram::store
