#include "core/store/committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/store/event_reader.h"

namespace marram::store {

namespace {

constexpr Duration kRetryEvery = std::chrono::seconds(1);
constexpr Duration kIdleBeforeCheckpoint = std::chrono::milliseconds(20);
// While events keep coming, cursors wait this long to travel with them.
constexpr Duration kMovesWait = std::chrono::milliseconds(5);
constexpr Duration kEventsKeepComing = std::chrono::milliseconds(10);
constexpr std::size_t kMovesWaitMax = 10'000;

// What a caller is told: his input was right, the disk was not.
Error as_answer(const Error& error) {
  return {error.code == Errc::Full ? Errc::Full : Errc::Io, error.message};
}

}  // namespace

// What becomes of one command, besides the events that are stored.
struct Answer {
  std::vector<Status> refusals;  // one an event; empty: all stored
  Status status;
  std::uint32_t consumer = 0;
};

struct Committer::Group {
  std::span<Command> commands;
  std::vector<Answer> answers;
  std::vector<std::uint32_t> streams;  // of all events, in order
  std::size_t next_stream = 0;
  bool on_disk = false;
  bool with_moves = false;
  CommitKind kind = CommitKind::NoSync;
};

Committer::Committer(const StoreOptions& options, StoreListener& listener, Log& log,
                     const Clock& clock, Board& board)
    : options_(options), listener_(listener), log_(log), clock_(clock), board_(board) {}

Committer::~Committer() = default;

Status Committer::open() {
  if (auto status = open_database(); !status) return status;
  node_id_ = database_->logs().node_id();
  for (const auto& [no, log] : database_->logs().all()) told_[no] = log.record.head;
  board_.update([&](StoreStatus& status) {
    status.max_bytes = options_.max_bytes;
    for (const auto& [no, log] : database_->logs().all()) Board::put(status, log.record);
  });
  return {};
}

std::vector<ConsumerRecord> Committer::consumers() const {
  std::vector<ConsumerRecord> all;
  for (const auto& [no, consumer] : database_->consumers().all()) all.push_back(consumer);
  return all;
}

Status Committer::open_database() {
  auto opened = Database::open(options_.data_dir / "marram.db", options_);
  if (!opened) return tl::unexpected(opened.error());
  database_ = std::move(*opened);
  return {};
}

bool Committer::ensure_open() {
  if (database_) return true;
  const TimePoint now = clock_.now();
  if (now < retry_at_) return false;
  retry_at_ = now + kRetryEvery;
  auto status = open_database();
  // After a failed sync the kernel may hold pages that the disk does not: bring all
  // home and look at it before anything is accepted on top.
  if (status) status = database_->wal().restart();
  if (status && database_->wal().has_pages()) {
    status = fail(Errc::Busy, "store: a long reader of another process keeps the database from "
                              "being checked (end it)");
  }
  if (status) status = database_->check();
  if (!status) {
    database_.reset();
    failure_ = status.error();
    board_.update([&](StoreStatus& shown) { shown.failure = failure_->message; });
    return false;
  }
  failure_.reset();
  board_.update([&](StoreStatus& shown) { shown.failure.clear(); });
  log_.info("store", "the database is open again");
  tell_unknown();
  return true;
}

void Committer::give_up(const Error& error) {
  log_.error("store", error.message);
  database_.reset();
  failure_ = error;
  retry_at_ = clock_.now();
  board_.update([&](StoreStatus& status) { status.failure = error.message; });
  ensure_open();
}

void Committer::tell_unknown() {
  EventReader reader(database_->connection());
  for (const auto& [no, log] : database_->logs().all()) {
    if (log.durability == Durability::Memory) continue;
    std::uint64_t& told = told_[no];
    while (told < log.record.head) {
      auto found = reader.read({.log = no, .after = told, .filters = {}});
      if (!found || found->upto <= told) break;
      if (!found->batch->empty()) listener_.on_committed(found->batch);
      told = found->upto;
    }
  }
}

Committer::Group Committer::plan(std::span<Command> commands) {
  Group group;
  group.commands = commands;
  group.answers.resize(commands.size());
  for (Command& command : commands) {
    if (const auto* const submit = std::get_if<SubmitCommand>(&command)) {
      for (const EventView& event : submit->batch->events()) plan_event(group, event);
    } else if (auto* const save = std::get_if<SaveCursorsCommand>(&command)) {
      if (moves_.empty()) moves_due_ = moves_due(clock_.now());
      moves_.insert(moves_.end(), save->moves.begin(), save->moves.end());
    } else {
      group.on_disk = true;
      group.kind = CommitKind::Sync;
    }
  }
  plan_moves(group);
  return group;
}

void Committer::plan_event(Group& group, const EventView& event) {
  const std::size_t stream = options_.streams.find(event.topic);
  group.streams.push_back(static_cast<std::uint32_t>(stream));
  const Durability durability = *options_.streams.streams()[stream].durability;
  if (durability == Durability::Fsync) group.kind = CommitKind::Sync;
  // The first event of a stream in memory makes its log, which is on disk.
  group.on_disk = group.on_disk || durability != Durability::Memory ||
                  database_->logs().opens(stream);
}

void Committer::plan_moves(Group& group) {
  if (moves_.empty()) return;
  const bool due = clock_.now() >= moves_due_ || moves_.size() >= kMovesWaitMax;
  group.with_moves = group.on_disk || due;
  if (!group.with_moves) return;
  group.on_disk = true;
  fold_moves();
  // A cursor is as sure as the events that it speaks of.
  for (const CursorMove& move : moves_) {
    const LogState* const log = database_->logs().find(move.log);
    if (log != nullptr && log->durability == Durability::Fsync) group.kind = CommitKind::Sync;
  }
}

TimePoint Committer::moves_due(TimePoint now) const {
  return now - events_committed_ < kEventsKeepComing ? now + kMovesWait : now;
}

void Committer::fold_moves() {
  std::stable_sort(moves_.begin(), moves_.end(), [](const CursorMove& a, const CursorMove& b) {
    return std::tie(a.consumer, a.log, a.upto) < std::tie(b.consumer, b.log, b.upto);
  });
  std::size_t kept = 0;
  for (const CursorMove& move : moves_) {
    const bool again = kept > 0 && moves_[kept - 1].consumer == move.consumer &&
                       moves_[kept - 1].log == move.log;
    moves_[again ? kept - 1 : kept++] = move;
  }
  moves_.resize(kept);
}

void Committer::run(std::span<Command> commands) {
  if (!ensure_open()) {
    fail_all(commands, *failure_);
    return;
  }
  const TimePoint begun = clock_.now();
  Group group = plan(commands);
  auto status = group.on_disk ? database_->begin(group.kind) : Status();
  if (!group.streams.empty()) database_->set_time(clock_.wall());
  if (status) status = apply(group);
  if (status) status = group.on_disk ? database_->commit() : database_->logs().save_changed();
  if (!status) {
    fail_all(commands, status.error());
    give_up(status.error());
    return;
  }
  busy_until_ = clock_.now() + kIdleBeforeCheckpoint;
  finish(group, clock_.now() - begun);
}

Status Committer::apply(Group& group) {
  for (std::size_t i = 0; i < group.commands.size(); ++i) {
    auto status = std::visit([&](auto& command) { return apply(group, command, i); },
                             group.commands[i]);
    if (!status) return status;
  }
  if (!group.with_moves) return {};
  const WallTime now = clock_.wall();
  for (const CursorMove& move : moves_) {
    if (auto status = database_->move(move, now); !status) return status;
  }
  return {};
}

Status Committer::apply(Group& group, SubmitCommand& command, std::size_t) {
  for (EventView& event : command.batch->events()) {
    const std::size_t stream = group.streams[group.next_stream++];
    if (auto status = database_->append(event, stream); !status) return status;
  }
  return {};
}

Status Committer::apply(Group& group, PutConsumerCommand& command, std::size_t index) {
  Answer& answer = group.answers[index];
  answer.status = database_->consumers().check(command.record, options_.limits);
  if (!answer.status) return {};
  const auto no = database_->consumers().put(std::move(command.record));
  if (!no) return tl::unexpected(no.error());
  answer.consumer = *no;
  return {};
}

Status Committer::apply(Group& group, RemoveConsumerCommand& command, std::size_t index) {
  if (database_->consumers().contains(command.no)) {
    return database_->consumers().remove(command.no);
  }
  group.answers[index].status =
      fail(Errc::NotFound, fmt::format("store: there is no consumer number {} (it has been removed "
                                       "already)", command.no));
  return {};
}

Status Committer::apply(Group&, SaveCursorsCommand&, std::size_t) { return {}; }

void Committer::finish(Group& group, Duration took) {
  if (!group.streams.empty()) events_committed_ = clock_.now();
  tell_opened();
  board_.update([&](StoreStatus& status) {
    if (group.on_disk) {
      ++status.commits;
      status.commit_micros += static_cast<std::uint64_t>(took.count());
    }
    status.appended += group.streams.size();
    for (const LogState* const log : database_->logs().saved()) Board::put(status, log->record);
  });
  for (std::size_t i = 0; i < group.commands.size(); ++i) {
    Answer& answer = group.answers[i];
    if (auto* const submit = std::get_if<SubmitCommand>(&group.commands[i])) {
      publish(*submit, std::move(answer.refusals));
    } else if (auto* const put = std::get_if<PutConsumerCommand>(&group.commands[i])) {
      put->done(answer.status ? Result<std::uint32_t>(answer.consumer)
                              : tl::unexpected(answer.status.error()));
    } else if (auto* const remove = std::get_if<RemoveConsumerCommand>(&group.commands[i])) {
      remove->done(answer.status);
    }
  }
  if (group.with_moves) listener_.on_cursors_saved(std::exchange(moves_, {}));
}

void Committer::tell_opened() {
  for (const LogState* const log : database_->logs().saved()) {
    const auto [known, is_new] = told_.try_emplace(log->record.no, 0);
    known->second = log->record.head;
    if (!is_new) continue;
    LogRecord opened;
    opened.no = log->record.no;
    opened.id = log->record.id;
    opened.open = true;
    listener_.on_log_opened(opened);
  }
}

void Committer::publish(SubmitCommand& command, std::vector<Status> refusals) {
  const EventBatchPtr batch = std::move(command.batch);
  if (!batch->empty()) listener_.on_committed(batch);
  command.listener->notify(Published{command.token, batch, std::move(refusals)});
}

void Committer::fail_all(std::span<Command> commands, const Error& error) {
  const Error answer = as_answer(error);
  for (Command& command : commands) {
    if (auto* const submit = std::get_if<SubmitCommand>(&command)) {
      for (EventView& event : submit->batch->events()) {
        event.position = Position();
        event.recorded = WallTime();
      }
      const EventBatchPtr batch = std::move(submit->batch);
      std::vector<Status> results(batch->size(), tl::unexpected(answer));
      submit->listener->notify(Published{submit->token, batch, std::move(results)});
    } else if (auto* const put = std::get_if<PutConsumerCommand>(&command)) {
      put->done(tl::unexpected(answer));
    } else if (auto* const remove = std::get_if<RemoveConsumerCommand>(&command)) {
      remove->done(tl::unexpected(answer));
    } else if (auto* const save = std::get_if<SaveCursorsCommand>(&command)) {
      moves_.insert(moves_.end(), save->moves.begin(), save->moves.end());
    }
  }
}

std::optional<Duration> Committer::tend(bool idle) {
  if (!ensure_open()) return kRetryEvery;
  TimePoint now = clock_.now();
  if (!moves_.empty() && now >= moves_due_) run({});
  if (!database_) return kRetryEvery;
  const bool rested = idle && now >= busy_until_;
  if (database_->wal().is_long() || (rested && database_->wal().has_pages())) {
    if (auto status = database_->wal().checkpoint(); !status) {
      give_up(status.error());
      return kRetryEvery;
    }
  }
  return next_tend(clock_.now());
}

std::optional<Duration> Committer::next_tend(TimePoint now) const {
  std::optional<Duration> next;
  if (!moves_.empty()) next = std::max(Duration(0), moves_due_ - now);
  if (database_->wal().has_pages() && now < busy_until_) {
    next = std::min(next.value_or(kRetryEvery), busy_until_ - now);
  }
  return next;
}

void Committer::close() {
  if (!database_) return;
  if (!moves_.empty()) {
    moves_due_ = TimePoint();
    run({});
  }
  if (!database_) return;
  if (auto status = database_->wal().checkpoint(); !status) {
    log_.warn("store", status.error().message);
  }
  database_.reset();
}

}  // namespace marram::store
