#include "core/store/committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/store/data_dir.h"
#include "core/store/event_reader.h"
#include "core/store/quarantine.h"

namespace marram::store {

namespace {

constexpr Duration kRetryEvery = std::chrono::seconds(1);
constexpr Duration kRetainEvery = std::chrono::seconds(1);
constexpr Duration kSaidEvery = std::chrono::minutes(1);
constexpr Duration kCheckEvery = std::chrono::seconds(10);
constexpr Duration kIdleBeforeCheckpoint = std::chrono::milliseconds(20);
constexpr std::uint64_t kWalBytes = 32 << 20;

// As it was when it opened: its events are told after it.
LogRecord just_opened(const LogState& log) {
  LogRecord record = log.record;
  record.head = log.born;
  record.first = record.whole_from = log.born + 1;
  record.filters.clear();
  record.head_id.clear();
  record.events = record.bytes = 0;
  return record;
}

}  // namespace

Committer::Committer(const StoreOptions& options, StoreListener& listener, Log& log,
                     const Clock& clock, Board& board)
    : options_(options),
      listener_(listener),
      log_(log),
      clock_(clock),
      board_(board),
      disk_(options.data_dir, options.reserve_free_share) {}

Status Committer::open() {
  finish_setting_aside(options_.data_dir / "marram.db", clock_.wall());
  if (options_.vfs.empty()) {
    if (auto status = make_private_file(options_.data_dir / "marram.db"); !status) return status;
  }
  auto opened = open_database();
  if (!opened && opened.error().code == Errc::Full) {
    disk_.on_full(clock_.now());  // the ballast may be all it takes
    opened = open_database();
  }
  if (!opened) return opened;
  disk_.look();
  node_id_ = database_->logs().node_id();
  for (const auto& [no, log] : database_->logs().all()) told_[no] = log.record.head;
  board_.update([&](StoreStatus& status) {
    status.max_bytes = options_.max_bytes;
    status.dropped = database_->gaps().dropped();
    status.bytes = database_->room().used_bytes();
    for (const auto& [no, log] : database_->logs().all()) Board::put(status, log.record);
  });
  return {};
}

std::vector<ConsumerRecord> Committer::consumers() const {
  std::vector<ConsumerRecord> all;
  for (const auto& [no, consumer] : database_->consumers().all()) all.push_back(consumer.record);
  return all;
}

MeshRecords Committer::mesh_records() const {
  MeshRecords records;
  for (const auto& [no, log] : database_->logs().all()) {
    if (log.backfill) records.backfills.emplace(no, *log.backfill);
  }
  records.holds = database_->peers().all();
  records.facts = database_->facts();
  return records;
}

Status Committer::open_database() {
  auto status = open_as_it_is();
  if (status || status.error().code != Errc::Corrupt) return status;
  if (status = repair(status.error()); !status) return status;
  return open_as_it_is();
}

Status Committer::open_as_it_is() {
  auto opened = Database::open(options_.data_dir / "marram.db", options_, disk_, clock_.wall());
  if (!opened) return tl::unexpected(opened.error());
  database_ = std::move(*opened);
  database_->holds().set_pins(pins_);
  // What the log has already it keeps: on a full disk it would not get it back.
  const std::uint64_t spare =
      database_->wal().file_bytes() +
      (disk_.free_bytes() > disk_.reserve_bytes() ? disk_.free_bytes() - disk_.reserve_bytes() : 0);
  const std::uint64_t wal_bytes = std::min({kWalBytes, options_.max_bytes / 8, spare / 4});
  disk_.keep_for_wal(wal_bytes);
  auto status = database_->wal().fill(wal_bytes);
  // On a full disk the log stays as it is: what is stored can be read and handed on.
  if (!status && status.error().code == Errc::Full) status = {};
  if (status) status = database_->room().measure();
  if (!status) database_.reset();
  return status;
}

Status Committer::repair(const Error& damage) {
  log_.error("store", damage.message);
  if (user_ != nullptr) user_->pause();
  const auto salvaged = set_aside(options_.data_dir / "marram.db", clock_.wall());
  if (user_ != nullptr) user_->resume();
  if (!salvaged) return tl::unexpected(salvaged.error());
  log_.error("store", "the database was damaged; it has been set aside and what reads of it copied",
             {{"set_aside", salvaged->file},
              {"events", std::to_string(salvaged->events)},
              {"lost", std::to_string(salvaged->lost)}});
  board_.update([&](StoreStatus& status) { status.quarantined = salvaged->file; });
  return {};
}

// After a failed sync the kernel may hold pages that the disk does not: all are
// brought home and looked at before anything is accepted on top.  Where only room was missing
// nothing is in doubt.
Status Committer::reopen() {
  if (auto status = open_database(); !status || !suspect_) return status;
  auto status = database_->wal().restart();
  if (status && database_->wal().has_pages()) {
    return fail(Errc::Busy,
                "store: a long reader of another process keeps the database from being "
                "checked (end it)");
  }
  if (status) status = database_->check();
  if (status || status.error().code != Errc::Corrupt) return status;
  database_.reset();
  if (status = repair(status.error()); !status) return status;
  return open_database();
}

bool Committer::ensure_open() {
  if (database_) return true;
  const TimePoint now = clock_.now();
  if (now < retry_at_) return false;
  retry_at_ = now + kRetryEvery;
  disk_.refresh(now);
  if (auto status = reopen(); !status) {
    database_.reset();
    failure_ = status.error();
    suspect_ = suspect_ || failure_->code != Errc::Full;
    if (failure_->code == Errc::Full) disk_.on_full(now);
    board_.update([&](StoreStatus& shown) { shown.failure = failure_->message; });
    return false;
  }
  failure_.reset();
  suspect_ = false;
  board_.update([&](StoreStatus& status) {
    status.failure.clear();
    status.dropped = database_->gaps().dropped();
  });
  if (said_failure_) log_.info("store", "the database is open again, with a new epoch");
  tell_unknown();
  return true;
}

void Committer::give_up(const Error& error) {
  const bool full = error.code == Errc::Full;
  said_failure_ = !full || say_full(error);
  if (!full) log_.error("store", error.message);
  if (full) disk_.on_full(clock_.now());
  suspect_ = suspect_ || !full;
  for (const LogState* const log : database_->logs().end_epoch()) {
    ended_.push_back(log->record.no);
  }
  database_.reset();
  failure_ = error;
  board_.update([&](StoreStatus& status) {
    status.failure = error.message;
    for (LogRecord& log : status.logs) log.open = false;
  });
  ensure_open();
}

// All logs are copies now: those of the run that has ended too.
void Committer::tell_unknown() {
  tell_gone();
  for (const auto& [no, log] : database_->logs().all()) {
    const auto [known, is_new] = told_.try_emplace(no, log.born);
    if (is_new) listener_.on_log_opened(just_opened(log));
    const bool ended = std::find(ended_.begin(), ended_.end(), no) != ended_.end();
    if (ended || known->second < log.record.head) tell_unknown(log, known->second);
    known->second = log.record.head;
    listener_.on_backfilled(log.record, log.backfill);
    board_.update([&](StoreStatus& status) { Board::put(status, log.record); });
  }
  ended_.clear();
  listener_.on_told();
}

void Committer::tell_unknown(const LogState& log, std::uint64_t known) {
  EventReader reader(database_->connection());
  std::vector<Gap> gaps;
  while (known < log.record.head) {
    auto found = reader.read({.log = log.record.no, .after = known, .filters = {}});
    if (!found || found->upto <= known) break;
    gaps.insert(gaps.end(), found->gaps.begin(), found->gaps.end());
    if (!found->batch->empty()) listener_.on_committed(found->batch);
    known = found->upto;
  }
  listener_.on_copied(log.record, gaps);
}

// Logs in memory have no row to come back from.
void Committer::tell_gone() {
  std::vector<std::uint32_t> gone;
  for (const auto& [no, head] : told_) {
    if (database_->logs().find(no) == nullptr) gone.push_back(no);
  }
  for (const std::uint32_t no : gone) {
    told_.erase(no);
    board_.update([&](StoreStatus& status) { Board::erase(status, no); });
    listener_.on_log_forgotten(no);
  }
}

// Moves and facts wait for a commit; pins are no part of one.
void Committer::queue(const Command& command, TimePoint now) {
  if (const auto* const save = std::get_if<SaveCursorsCommand>(&command)) {
    moves_.add(save->moves, now);
  } else if (const auto* const move = std::get_if<MoveHoldsCommand>(&command)) {
    moves_.add(move->moves, move->contact, now);
  } else if (const auto* const put = std::get_if<PutHoldCommand>(&command)) {
    moves_.drop(put->hold.peer, put->hold.stream);
  } else if (const auto* const remove = std::get_if<RemoveHoldCommand>(&command)) {
    moves_.drop(remove->peer, remove->stream);
  } else if (const auto* const facts = std::get_if<SaveFactsCommand>(&command)) {
    moves_.set(facts->facts, now);
  } else if (const auto* const pins = std::get_if<SetPinsCommand>(&command)) {
    pins_ = pins->pins;
  }
}

void Committer::run(std::span<Command> commands) {
  const TimePoint begun = clock_.now();
  for (const Command& command : commands) queue(command, begun);
  if (!ensure_open()) {
    Group::refuse(commands, *failure_);
    return;
  }
  disk_.refresh(begun);
  Group group(*database_, options_, commands);
  const bool with_moves = !moves_.empty() && (group.on_disk() || moves_.due(begun));
  if (auto status = transact(group, with_moves); !status) {
    Group::refuse(commands, status.error());
    give_up(status.error());
    return;
  }
  const TimePoint now = clock_.now();
  busy_until_ = now + kIdleBeforeCheckpoint;
  for (const std::uint32_t no : group.forgotten()) told_.erase(no);
  if (group.has_events()) moves_.on_events_committed(now);
  tell_opened();
  if (group.full()) say_full(*group.full());
  show(group, group.on_disk() || with_moves, now - begun);
  finish(group, with_moves);
}

Status Committer::transact(Group& group, bool with_moves) {
  const bool on_disk = group.on_disk() || with_moves;
  if (group.has_events()) database_->set_time(clock_.wall());
  if (on_disk) {
    const bool sync =
        group.kind() == CommitKind::Sync || (with_moves && kind_of_moves() == CommitKind::Sync);
    auto status = database_->begin(sync ? CommitKind::Sync : CommitKind::NoSync);
    if (!status) return status;
  }
  if (const auto& facts = moves_.facts()) database_->logs().raise_runs(facts->runs);
  if (auto status = group.apply(); !status) return status;
  if (with_moves) {
    if (auto status = apply_moves(); !status) return status;
  }
  return on_disk ? database_->commit() : database_->logs().save_changed();
}

Status Committer::apply_moves() {
  const WallTime now = clock_.wall();
  for (const CursorMove& move : moves_.fold()) {
    if (auto status = database_->move(move, now); !status) return status;
  }
  for (const HoldMove& move : moves_.hold_moves()) {
    if (auto status = database_->peers().move(move, moves_.contact()); !status) return status;
  }
  return moves_.facts() ? database_->save(*moves_.facts()) : Status();
}

// A cursor is as sure as the events that it speaks of.
CommitKind Committer::kind_of_moves() {
  for (const CursorMove& move : moves_.fold()) {
    const LogState* const log = database_->logs().find(move.log);
    if (log != nullptr && log->record.durability == Durability::Fsync) return CommitKind::Sync;
  }
  return CommitKind::NoSync;
}

void Committer::tell_opened() {
  for (const LogState* const log : database_->logs().saved()) {
    const bool is_new = told_.insert_or_assign(log->record.no, log->record.head).second;
    if (is_new) listener_.on_log_opened(just_opened(*log));
  }
}

// Publishers are told each time.
bool Committer::say_full(const Error& error) {
  const TimePoint now = clock_.now();
  if (said_full_ && now < *said_full_ + kSaidEvery) return false;
  said_full_ = now;
  log_.error("store", error.message);
  return true;
}

void Committer::show(const Group& group, bool on_disk, Duration took) {
  if (group.has_events()) full_ = group.full().has_value();
  board_.update([&](StoreStatus& status) {
    if (on_disk) {
      ++status.commits;
      status.commit_micros += static_cast<std::uint64_t>(took.count());
    }
    status.appended += group.stored();
    status.refused_full += group.refused();
    status.full = full_;
    status.bytes = database_->room().used_bytes();
    for (const std::uint32_t no : group.forgotten()) Board::erase(status, no);
    if (database_->retention().has_trims()) status.dropped = database_->gaps().dropped();
    for (const LogState* const log : database_->logs().saved()) Board::put(status, log->record);
  });
}

void Committer::finish(Group& group, bool with_moves) {
  group.answer(listener_);
  listener_.on_told();
  tell_trims();
  if (with_moves) take_moves();
}

void Committer::take_moves() {
  auto moves = moves_.take();
  if (!moves.empty()) listener_.on_cursors_saved(std::move(moves));
}

void Committer::tell_trims() {
  for (const Trim& trim : database_->retention().take_trims()) {
    listener_.on_trimmed(trim.log, trim.first, trim.gap, trim.owed);
  }
}

std::optional<Duration> Committer::tend(bool idle) {
  if (!ensure_open()) return kRetryEvery;
  TimePoint now = clock_.now();
  if (moves_.due(now)) run({});
  if (!database_) return kRetryEvery;
  auto status = now >= retain_at_ ? retain(now) : Status();
  if (status) status = checkpoint(idle && now >= busy_until_);
  if (!status) {
    give_up(status.error());
    return kRetryEvery;
  }
  return next_tend(clock_.now());
}

Status Committer::retain(TimePoint now) {
  const auto more = database_->retain(clock_.wall());
  if (!more) return tl::unexpected(more.error());
  retain_at_ = *more ? now : now + kRetainEvery;
  tell_trims();
  disk_.refresh(now);
  database_->room().set_wal_growth(0);
  if (auto status = database_->room().measure(); !status) return status;
  full_ = full_ && database_->room().left() == 0;
  board_.update([&](StoreStatus& status) {
    status.full = full_;
    status.bytes = database_->room().used_bytes();
    status.dropped = database_->gaps().dropped();
    for (const LogState* const log : database_->logs().saved()) Board::put(status, log->record);
  });
  return {};
}

Status Committer::checkpoint(bool rested) {
  if (!database_->wal().is_long() && !(rested && database_->wal().has_pages())) return {};
  auto status = database_->wal().checkpoint();
  if (status || status.error().code != Errc::Full) return status;
  // It stays in the log, and can be read there.
  say_full(status.error());
  disk_.on_full(clock_.now());
  return {};
}

std::optional<Duration> Committer::next_tend(TimePoint now) const {
  std::optional<Duration> next;
  const auto at_latest = [&](TimePoint when) {
    const Duration wait = std::max(Duration(0), when - now);
    next = std::min(next.value_or(wait), wait);
  };
  if (database_->retention().has_rules() || disk_.low() || full_) at_latest(retain_at_);
  if (!moves_.empty()) at_latest(moves_.due_at());
  if (database_->wal().has_pages() && now < busy_until_) at_latest(busy_until_);
  return next;
}

void Committer::check() {
  const TimePoint now = clock_.now();
  if (!database_ || now < check_at_) return;
  check_at_ = now + kCheckEvery;
  if (auto status = database_->check(); !status) give_up(status.error());
}

void Committer::close() {
  if (database_ && !moves_.empty()) {
    Group nothing(*database_, options_, {});
    if (auto status = transact(nothing, true); status) {
      take_moves();
    } else {
      log_.error("store", status.error().message);
      database_.reset();
    }
  }
  if (!database_) return;
  if (auto status = database_->wal().checkpoint(); !status) {
    log_.error("store", status.error().message);
  }
  database_.reset();
}

}  // namespace marram::store
