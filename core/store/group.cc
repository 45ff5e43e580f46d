#include "core/store/group.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

namespace marram::store {

namespace {

// What a caller is told: his input was right, the disk was not.
Error as_answer(const Error& error) {
  return {error.code == Errc::Full ? Errc::Full : Errc::Io, error.message};
}

bool is_of_holds(const Command& command) {
  return std::holds_alternative<PutHoldCommand>(command) ||
         std::holds_alternative<RemoveHoldCommand>(command) ||
         std::holds_alternative<SetPinsCommand>(command);
}

void refuse_events(SubmitCommand& command, const Error& error) {
  for (EventView& event : command.batch->events()) {
    event.position = Position();
    event.recorded = WallTime();
  }
  const EventBatchPtr batch = std::move(command.batch);
  std::vector<Status> results(batch->size(), tl::unexpected(error));
  command.listener->notify(Published{command.token, batch, std::move(results)});
}

// Those that were stored, as a batch of their own.
EventBatchPtr stored_part(const EventBatch& batch, const std::vector<Status>& refusals) {
  auto part = std::make_shared<EventBatch>();
  UuidMaker ids;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (refusals[i]) part->add(batch.events()[i], batch.events()[i].time, ids);
  }
  return part;
}

template <class T>
concept Answered = requires(T& command) { command.done; };

}  // namespace

Group::Group(Database& database, const StoreOptions& options, std::span<Command> commands)
    : database_(database), options_(options), commands_(commands), answers_(commands.size()) {
  for (const Command& command : commands) plan(command);
}

void Group::plan(const Command& command) {
  if (const auto* const submit = std::get_if<SubmitCommand>(&command)) {
    for (const EventView& event : submit->batch->events()) plan(event);
  } else if (const auto* const copy = std::get_if<WriteCopyCommand>(&command)) {
    plan(copy->write);
  } else if (std::holds_alternative<EndEpochCommand>(command)) {
    plan_on_disk(CommitKind::NoSync);
  } else if (std::holds_alternative<PutConsumerCommand>(command) ||
             std::holds_alternative<RemoveConsumerCommand>(command) ||
             std::holds_alternative<PutHoldCommand>(command) ||
             std::holds_alternative<RemoveHoldCommand>(command) ||
             std::holds_alternative<ForgetLogCommand>(command)) {
    plan_on_disk(CommitKind::Sync);
  }
}

void Group::plan_on_disk(CommitKind kind) {
  on_disk_ = true;
  if (kind == CommitKind::Sync) kind_ = kind;
}

void Group::plan(const EventView& event) {
  const std::size_t stream = options_.streams.find(event.topic);
  streams_.push_back(static_cast<std::uint32_t>(stream));
  const Durability durability = *options_.streams.streams()[stream].durability;
  if (durability == Durability::Fsync) kind_ = CommitKind::Sync;
  if (durability != Durability::Memory && could_fit(event)) bytes_ += stored_bytes(event.bytes());
  // The first event of a stream in memory makes its log, which is on disk.
  on_disk_ = on_disk_ || durability != Durability::Memory || database_.logs().opens(stream);
}

void Group::plan(const CopyWrite& write) {
  ++copies_;
  const Durability durability = database_.logs().durability(write);
  const std::uint64_t bytes = database_.copies().bytes(write);
  if (bytes <= options_.max_bytes) bytes_ += bytes;
  if (durability != Durability::Memory || database_.logs().find(write.log) == nullptr) {
    plan_on_disk(durability == Durability::Fsync ? CommitKind::Sync : CommitKind::NoSync);
  }
}

// What events are held for comes first: no room is made by those that are asked for just now.
Status Group::apply() {
  if (auto status = apply_all(true); !status) return status;
  if (bytes_ != 0) {
    if (auto status = database_.make_room(bytes_); !status) return status;
  }
  return apply_all(false);
}

Status Group::apply_all(bool holds) {
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    if (is_of_holds(commands_[i]) != holds) continue;
    if (auto status = apply(commands_[i], answers_[i]); !status) return status;
  }
  return {};
}

Status Group::apply(Command& command, Answer& answer) {
  return std::visit(
      [&](auto& which) -> Status {
        if constexpr (requires { apply(which, answer); }) {
          return apply(which, answer);
        } else {
          return {};
        }
      },
      command);
}

Result<bool> Group::admit(const EventView& event, std::size_t stream) {
  if (*options_.streams.streams()[stream].durability == Durability::Memory) return true;
  if (!could_fit(event)) return false;
  // What comes behind a refused event does not overtake it, small as it may be.
  if (full_streams_.contains(stream)) return false;
  const auto admitted = database_.admit(stored_bytes(event.bytes()), stream);
  if (admitted && !*admitted) full_streams_.insert(stream);
  return admitted;
}

// What is larger than the whole store must not cost others what is in it.
bool Group::could_fit(const EventView& event) const {
  return stored_bytes(event.bytes()) <= options_.max_bytes;
}

Status Group::apply(SubmitCommand& command, Answer& answer) {
  auto& events = command.batch->events();
  std::optional<Error> full;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::size_t stream = streams_[next_stream_++];
    const auto admitted = admit(events[i], stream);
    if (!admitted) return tl::unexpected(admitted.error());
    if (*admitted) {
      ++stored_;
      if (auto status = database_.append(events[i], stream); !status) return status;
      continue;
    }
    ++refused_;
    if (!full) full_ = full = database_.full_error(stream);
    answer.refusals.resize(events.size());
    answer.refusals[i] = tl::unexpected(*full);
  }
  return {};
}

Status Group::apply(PutConsumerCommand& command, Answer& answer) {
  answer.status = database_.consumers().check(command.record, options_.limits);
  if (!answer.status) return {};
  const auto no = database_.consumers().put(std::move(command.record));
  if (!no) return tl::unexpected(no.error());
  answer.number = *no;
  return {};
}

Status Group::apply(RemoveConsumerCommand& command, Answer& answer) {
  if (database_.consumers().contains(command.no)) return database_.consumers().remove(command.no);
  answer.status = fail(Errc::NotFound, fmt::format("store: there is no consumer number {} (it has "
                                                   "been removed already)",
                                                   command.no));
  return {};
}

Status Group::apply(WriteCopyCommand& command, Answer& answer) {
  CopyWrite& write = command.write;
  answer.status = database_.copies().check(write);
  if (!answer.status) return {};
  const auto admitted = database_.admit(write);
  if (!admitted) return tl::unexpected(admitted.error());
  if (!*admitted) {
    full_ = database_.full_error(database_.logs().stream_index(write.log.stream));
    answer.status = tl::unexpected(*full_);
    return {};
  }
  answer.changed = std::make_unique<Changed>();
  answer.changed->has_backfill = write.backfill || write.begin_backfill || write.end_backfill;
  const auto log = database_.copies().apply(write, database_.recorded());
  if (!log) return tl::unexpected(log.error());
  answer.number = (*log)->record.no;
  answer.changed->logs.push_back((*log)->record);
  answer.changed->backfill = (*log)->backfill;
  return {};
}

Status Group::apply(PutHoldCommand& command, Answer& /*answer*/) {
  return database_.peers().put(command.hold);
}

Status Group::apply(RemoveHoldCommand& command, Answer& /*answer*/) {
  return database_.peers().remove(command.peer, command.stream);
}

Status Group::apply(SetPinsCommand& command, Answer& /*answer*/) {
  database_.holds().set_pins(command.pins);
  return {};
}

Status Group::apply(EndEpochCommand& /*command*/, Answer& answer) {
  answer.changed = std::make_unique<Changed>();
  for (const LogState* const log : database_.logs().end_epoch()) {
    answer.changed->logs.push_back(log->record);
  }
  return {};
}

Status Group::apply(ForgetLogCommand& command, Answer& answer) {
  const LogState* const log = database_.logs().find(command.log);
  if (log == nullptr) return {};
  if (log->record.open || log->record.events > 0) {
    answer.status =
        fail(Errc::Invalid,
             fmt::format("store: cannot forget {}: {} (report this, it is a bug)",
                         log->record.id.text(), log->record.open ? "it is open" : "it has events"));
    return {};
  }
  answer.number = command.log;
  forgotten_.push_back(command.log);
  return database_.forget_log(command.log);
}

void Group::answer(StoreListener& listener) {
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    Answer& given = answers_[i];
    Command& command = commands_[i];
    if (auto* const submit = std::get_if<SubmitCommand>(&command)) {
      publish(*submit, given, listener);
    } else if (auto* const put = std::get_if<PutConsumerCommand>(&command)) {
      put->done(given.status ? Result<std::uint32_t>(given.number)
                             : tl::unexpected(given.status.error()));
    } else if (auto* const remove = std::get_if<RemoveConsumerCommand>(&command)) {
      remove->done(given.status);
    } else if (auto* const copy = std::get_if<WriteCopyCommand>(&command)) {
      answer(*copy, given, listener);
    } else if (auto* const hold = std::get_if<PutHoldCommand>(&command)) {
      hold->done({});
    } else if (auto* const release = std::get_if<RemoveHoldCommand>(&command)) {
      release->done({});
    } else if (auto* const end = std::get_if<EndEpochCommand>(&command)) {
      for (const LogRecord& log : given.changed->logs) listener.on_copied(log, {});
      end->done({});
    } else if (auto* const forget = std::get_if<ForgetLogCommand>(&command)) {
      answer(*forget, given, listener);
    }
  }
}

void Group::publish(SubmitCommand& command, Answer& answer, StoreListener& listener) {
  const EventBatchPtr batch = std::move(command.batch);
  const EventBatchPtr stored =
      answer.refusals.empty() ? batch : stored_part(*batch, answer.refusals);
  if (!stored->empty()) listener.on_committed(stored);
  command.listener->notify(Published{command.token, batch, std::move(answer.refusals)});
}

void Group::answer(WriteCopyCommand& command, Answer& answer, StoreListener& listener) {
  if (!answer.status) return command.done(tl::unexpected(answer.status.error()));
  CopyWrite& write = command.write;
  const LogRecord& log = answer.changed->logs.front();
  if (!write.backfill) {
    if (write.events && !write.events->empty()) listener.on_committed(std::move(write.events));
    for (Gap& gap : write.gaps) gap.log = log.no;
    listener.on_copied(log, write.gaps);
  }
  if (answer.changed->has_backfill) listener.on_backfilled(log, answer.changed->backfill);
  command.done(answer.number);
}

void Group::answer(ForgetLogCommand& command, Answer& answer, StoreListener& listener) {
  if (answer.number != 0) listener.on_log_forgotten(answer.number);
  command.done(answer.status);
}

void Group::refuse(std::span<Command> commands, const Error& error) {
  const Error answer = as_answer(error);
  for (Command& command : commands) {
    std::visit(
        [&](auto& which) {
          if constexpr (Answered<decltype(which)>) {
            which.done(tl::unexpected(answer));
          } else if constexpr (std::is_same_v<std::decay_t<decltype(which)>, SubmitCommand>) {
            refuse_events(which, answer);
          }
        },
        command);
  }
}

}  // namespace marram::store
