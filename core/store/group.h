// The commands of one transaction: what they need, how they are carried out, what
// each is answered.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "core/store/command.h"
#include "core/store/database.h"

namespace marram::store {

class Group {
 public:
  // Looks at the commands; moves of cursors are not its business.  All outlive it.
  Group(Database& database, const StoreOptions& options, std::span<Command> commands);

  bool on_disk() const { return on_disk_; }
  CommitKind kind() const { return kind_; }
  bool has_events() const { return !streams_.empty() || copies_ > 0; }

  // Within a transaction, where on_disk() says so.
  Status apply();

  // After the commit.
  void answer(StoreListener& listener);
  std::uint64_t stored() const { return stored_; }
  std::uint64_t refused() const { return refused_; }
  const std::vector<std::uint32_t>& forgotten() const { return forgotten_; }  // logs
  const std::optional<Error>& full() const { return full_; }  // why something was refused

  // Instead, when the transaction failed: nothing is acknowledged.
  static void refuse(std::span<Command> commands, const Error& error);

 private:
  // What a command has done to logs of others, or of an epoch that has ended.
  struct Changed {
    std::vector<LogRecord> logs;  // as they stood then
    bool has_backfill = false;    // it changed
    std::optional<BackfillRecord> backfill;
  };
  struct Answer {
    std::vector<Status> refusals;  // one an event; empty: all are stored
    Status status;
    std::uint32_t number = 0;  // of the consumer or log
    std::unique_ptr<Changed> changed;
  };

  void plan(const Command& command);
  void plan(const EventView& event);
  void plan(const CopyWrite& write);
  void plan_on_disk(CommitKind kind);
  Status apply_all(bool holds);
  Status apply(Command& command, Answer& answer);
  Status apply(SubmitCommand& command, Answer& answer);
  Status apply(WriteCopyCommand& command, Answer& answer);
  Status apply(PutHoldCommand& command, Answer& answer);
  Status apply(RemoveHoldCommand& command, Answer& answer);
  Status apply(SetPinsCommand& command, Answer& answer);
  Status apply(EndEpochCommand& command, Answer& answer);
  Status apply(ForgetLogCommand& command, Answer& answer);
  Status apply(PutConsumerCommand& command, Answer& answer);
  Status apply(RemoveConsumerCommand& command, Answer& answer);
  Result<bool> admit(const EventView& event, std::size_t stream);
  bool could_fit(const EventView& event) const;
  void publish(SubmitCommand& command, Answer& answer, StoreListener& listener);
  void answer(WriteCopyCommand& command, Answer& answer, StoreListener& listener);
  void answer(ForgetLogCommand& command, Answer& answer, StoreListener& listener);

  Database& database_;
  const StoreOptions& options_;
  std::span<Command> commands_;
  std::vector<Answer> answers_;
  std::vector<std::uint32_t> streams_;  // of all events, in order
  std::vector<std::uint32_t> forgotten_;
  std::size_t next_stream_ = 0;
  std::size_t copies_ = 0;
  std::set<std::size_t> full_streams_;  // that refuse the rest of this transaction
  std::uint64_t bytes_ = 0;             // of events for the disk
  std::uint64_t stored_ = 0;
  std::uint64_t refused_ = 0;
  std::optional<Error> full_;
  bool on_disk_ = false;
  CommitKind kind_ = CommitKind::NoSync;
};

}  // namespace marram::store
