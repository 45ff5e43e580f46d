#include "core/store/group.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace marram::store {

namespace {

// What a caller is told: his input was right, the disk was not.
Error as_answer(const Error& error) {
  return {error.code == Errc::Full ? Errc::Full : Errc::Io, error.message};
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

}  // namespace

Group::Group(Database& database, const StoreOptions& options, std::span<Command> commands)
    : database_(database), options_(options), commands_(commands), answers_(commands.size()) {
  for (const Command& command : commands) {
    if (const auto* const submit = std::get_if<SubmitCommand>(&command)) {
      for (const EventView& event : submit->batch->events()) plan(event);
    } else if (std::holds_alternative<PutConsumerCommand>(command) ||
               std::holds_alternative<RemoveConsumerCommand>(command)) {
      on_disk_ = true;
      kind_ = CommitKind::Sync;
    }
  }
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

Status Group::apply() {
  if (bytes_ != 0) {
    if (auto status = database_.make_room(bytes_); !status) return status;
  }
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    Status status;
    if (auto* const submit = std::get_if<SubmitCommand>(&commands_[i])) {
      status = apply(*submit, answers_[i]);
    } else if (auto* const put = std::get_if<PutConsumerCommand>(&commands_[i])) {
      status = apply(*put, answers_[i]);
    } else if (auto* const remove = std::get_if<RemoveConsumerCommand>(&commands_[i])) {
      status = apply(*remove, answers_[i]);
    }
    if (!status) return status;
  }
  return {};
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
    if (!full) full = database_.full_error(stream);
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
  answer.consumer = *no;
  return {};
}

Status Group::apply(RemoveConsumerCommand& command, Answer& answer) {
  if (database_.consumers().contains(command.no)) return database_.consumers().remove(command.no);
  answer.status = fail(Errc::NotFound, fmt::format("store: there is no consumer number {} (it has "
                                                   "been removed already)",
                                                   command.no));
  return {};
}

void Group::answer(StoreListener& listener) {
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    Answer& answer = answers_[i];
    if (auto* const submit = std::get_if<SubmitCommand>(&commands_[i])) {
      publish(*submit, answer, listener);
    } else if (auto* const put = std::get_if<PutConsumerCommand>(&commands_[i])) {
      put->done(answer.status ? Result<std::uint32_t>(answer.consumer)
                              : tl::unexpected(answer.status.error()));
    } else if (auto* const remove = std::get_if<RemoveConsumerCommand>(&commands_[i])) {
      remove->done(answer.status);
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

void Group::refuse(std::span<Command> commands, const Error& error) {
  const Error answer = as_answer(error);
  for (Command& command : commands) {
    if (auto* const submit = std::get_if<SubmitCommand>(&command)) {
      refuse_events(*submit, answer);
    } else if (auto* const put = std::get_if<PutConsumerCommand>(&command)) {
      put->done(tl::unexpected(answer));
    } else if (auto* const remove = std::get_if<RemoveConsumerCommand>(&command)) {
      remove->done(tl::unexpected(answer));
    }
  }
}

}  // namespace marram::store
