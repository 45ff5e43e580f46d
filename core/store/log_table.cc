#include "core/store/log_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/ids.h"

namespace marram::store {

namespace {

WallTime wall(std::int64_t micros) { return WallTime(Duration(micros)); }

std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }
std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }

// Of a column that has 16 bytes or text; empty for NULL.
std::string id_text(const Statement& row, int column) {
  if (row.type(column) != SQLITE_BLOB) return std::string(row.text(column));
  Uuid uuid;
  const std::string_view bytes = row.blob(column);
  std::copy_n(bytes.begin(), std::min(bytes.size(), uuid.bytes.size()), uuid.bytes.begin());
  return uuid.text();
}

}  // namespace

void LogState::note_head() {
  if (!std::exchange(head_moved, false)) return;
  record.head_id = head_text.empty() ? head_uuid.text() : head_text;
}

Status LogTable::load(Connection& connection) {
  current_.assign(streams_.streams().size(), nullptr);
  auto prepared =
      Preparer(connection)
          .add(insert_,
               "INSERT INTO log (no, origin, epoch, stream, durability, first, head, whole_from, "
               "events, bytes, trimmed, total, recorded, mixed) "
               "VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 1, 0, 0, 0, 0, 0, 0)")
          .add(update_,
               "UPDATE log SET first = ?2, head = ?3, whole_from = ?4, events = ?5, bytes = ?6, "
               "trimmed = ?7, total = ?8, recorded = ?9, mixed = ?10 WHERE no = ?1")
          .add(forget_, "DELETE FROM log WHERE no = ?1")
          .add(count_,
               "INSERT INTO meta VALUES (?1, ?2 + 1) ON CONFLICT DO UPDATE "
               "SET value = max(value, ?2) + 1 RETURNING value")
          .done();
  if (!prepared) return prepared;
  if (auto status = load_node_id(connection); !status) return status;
  return load_logs(connection);
}

Status LogTable::load_node_id(Connection& connection) {
  auto found = connection.text("SELECT value FROM meta WHERE name = 'node_id'");
  if (!found && found.error().code != Errc::NotFound) return tl::unexpected(found.error());
  if (found && (node_id_.empty() || node_id_ == *found)) {
    node_id_ = *found;
    return {};
  }
  if (node_id_.empty()) node_id_ = random_hex(16);
  auto insert = Statement::prepare(connection,
                                   "INSERT INTO meta VALUES ('node_id', ?1) ON CONFLICT DO UPDATE "
                                   "SET value = ?1");
  if (!insert) return tl::unexpected(insert.error());
  return insert->bind(1, node_id_).run();
}

Status LogTable::load_logs(Connection& connection) {
  auto select = Statement::prepare(
      connection,
      "SELECT no, origin, epoch, stream, durability, first, head, whole_from, events, bytes, "
      "trimmed, log.total, log.recorded, mixed, id "
      "FROM log LEFT JOIN event ON position = no << 40 | head ORDER BY no");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    LogState log = read_log(*select);
    // Others have clocks of their own.
    if (log.record.id.origin == node_id_) recorded_ = std::max(recorded_, log.recorded);
    const std::uint32_t no = log.record.no;
    LogState& kept = logs_.emplace(no, std::move(log)).first->second;
    by_id_.emplace(kept.record.id.text(), &kept);
  }
}

LogState LogTable::read_log(const Statement& row) const {
  LogState log;
  log.record.no = static_cast<std::uint32_t>(row.number(0));
  log.record.id = {std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3))};
  log.record.durability = parse_durability(row.text(4)).value_or(Durability::Fsync);
  log.record.first = unsigned_of(row.number(5));
  log.record.head = unsigned_of(row.number(6));
  log.record.whole_from = unsigned_of(row.number(7));
  log.record.events = unsigned_of(row.number(8));
  log.record.bytes = unsigned_of(row.number(9));
  log.trimmed = unsigned_of(row.number(10));
  log.record.trimmed = log.trimmed > 0;
  log.total = unsigned_of(row.number(11));
  log.recorded = wall(row.number(12));
  log.mixed = row.number(13) != 0;
  log.record.head_id = id_text(row, 14);
  log.stream = stream_index(log.record.id.stream);
  return log;
}

std::size_t LogTable::stream_index(std::string_view name) const {
  const auto& streams = streams_.streams();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (streams[i].name == name) return i;
  }
  return streams.size() - 1;
}

Durability LogTable::durability(const CopyWrite& write) const {
  if (const LogState* const log = find(write.log)) return log->record.durability;
  const StreamOptions& stream = streams_.streams()[stream_index(write.log.stream)];
  return stream.name == write.log.stream ? stream.durability.value_or(write.durability)
                                         : write.durability;
}

bool LogTable::opens(std::size_t stream) const { return current_[stream] == nullptr; }

Result<LogState*> LogTable::current(std::size_t stream) {
  if (LogState* const open = current_[stream]) return open;
  return open_log(stream);
}

Result<std::int64_t> LogTable::next_number(std::string_view name, std::uint64_t above) {
  const auto row = count_.bind(1, name).bind(2, signed_of(above)).step();
  if (!row) return tl::unexpected(row.error());
  const std::int64_t number = count_.number(0);
  if (auto status = count_.run(); !status) return tl::unexpected(status.error());
  return number;
}

Status LogTable::open_epoch() {
  const auto number = next_number("epochs", runs_);
  if (!number) return tl::unexpected(number.error());
  epoch_ = fmt::format("{}-{}", *number, epoch_random_ ? epoch_random_() : random_hex(4));
  return {};
}

Result<LogState*> LogTable::open_log(std::size_t stream) {
  if (epoch_.empty()) {
    if (auto status = open_epoch(); !status) return tl::unexpected(status.error());
  }
  const StreamOptions& options = streams_.streams()[stream];
  LogState log;
  log.record.id = {node_id_, epoch_, options.name};
  log.record.open = true;
  log.record.durability = options.durability.value_or(Durability::Fsync);
  log.stream = stream;
  const auto kept = insert(std::move(log));
  if (kept) current_[stream] = *kept;
  return kept;
}

Result<LogState*> LogTable::make_copy(const CopyWrite& write) {
  LogState log;
  log.record.id = write.log;
  log.record.durability = durability(write);
  log.record.head = write.after;
  log.record.first = log.record.whole_from = write.after + 1;
  log.stream = stream_index(write.log.stream);
  log.born = write.after;
  return insert(std::move(log));
}

Result<LogState*> LogTable::insert(LogState log) {
  const auto no = next_number("logs");
  if (!no) return tl::unexpected(no.error());
  if (*no > Position::kLogMax) {
    return fail(Errc::Io, fmt::format("store: {} logs have been numbered, and there is no number "
                                      "left (start with a new data_dir)",
                                      Position::kLogMax));
  }
  log.record.no = static_cast<std::uint32_t>(*no);
  auto status = insert_.bind(1, *no)
                    .bind(2, log.record.id.origin)
                    .bind(3, log.record.id.epoch)
                    .bind(4, log.record.id.stream)
                    .bind(5, name(log.record.durability))
                    .run();
  if (!status) return tl::unexpected(status.error());
  LogState& kept = logs_.emplace(log.record.no, std::move(log)).first->second;
  by_id_.emplace(kept.record.id.text(), &kept);
  made_.push_back(kept.record.no);
  touch(kept);
  return &kept;
}

std::vector<LogState*> LogTable::end_epoch() {
  std::vector<LogState*> closed;
  for (LogState*& log : current_) {
    if (log == nullptr) continue;
    log->record.open = false;
    log->note_head();
    touch(*log);
    closed.push_back(log);
    log = nullptr;
  }
  epoch_.clear();
  return closed;
}

LogState* LogTable::find(std::uint32_t no) {
  const auto found = logs_.find(no);
  return found == logs_.end() ? nullptr : &found->second;
}

const LogState* LogTable::find(const LogId& id) const {
  const auto found = by_id_.find(id.text());
  return found == by_id_.end() ? nullptr : found->second;
}

LogState* LogTable::find(const LogId& id) {
  const auto found = by_id_.find(id.text());
  return found == by_id_.end() ? nullptr : found->second;
}

void LogTable::touch(LogState& log) {
  if (log.changed) return;
  log.changed = true;
  changed_.push_back(&log);
}

Status LogTable::save_changed() {
  saved_.clear();
  saved_.swap(changed_);
  for (LogState* const changed : saved_) {
    LogState& log = *changed;
    log.changed = false;
    if (log.record.open) recorded_ = std::max(recorded_, log.recorded);
    log.note_head();
    // Of a log in memory only its making is on disk, so that its number is not used again.
    if (log.in_memory()) continue;
    auto status = update_.bind(1, std::int64_t{log.record.no})
                      .bind(2, signed_of(log.record.first))
                      .bind(3, signed_of(log.record.head))
                      .bind(4, signed_of(log.record.whole_from))
                      .bind(5, signed_of(log.record.events))
                      .bind(6, signed_of(log.record.bytes))
                      .bind(7, signed_of(log.trimmed))
                      .bind(8, signed_of(log.total))
                      .bind(9, log.recorded.time_since_epoch().count())
                      .bind(10, std::int64_t{log.mixed ? 1 : 0})
                      .run();
    if (!status) return status;
  }
  return {};
}

Status LogTable::forget(std::uint32_t no) {
  for (LogState*& log : current_) {
    if (log != nullptr && log->record.no == no) log = nullptr;
  }
  std::erase_if(changed_, [&](const LogState* log) { return log->record.no == no; });
  std::erase_if(saved_, [&](const LogState* log) { return log->record.no == no; });
  if (const auto found = logs_.find(no); found != logs_.end()) {
    by_id_.erase(found->second.record.id.text());
    logs_.erase(found);
  }
  return forget_.bind(1, std::int64_t{no}).run();
}

}  // namespace marram::store
