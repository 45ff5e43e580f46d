#include "core/store/log_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/ids.h"

namespace marram::store {

namespace {

WallTime wall(std::int64_t micros) { return WallTime(Duration(micros)); }

}  // namespace

Status LogTable::load(Connection& connection) {
  current_.assign(streams_.streams().size(), nullptr);
  auto prepared = Preparer(connection)
                      .add(insert_,
                           "INSERT INTO log (no, origin, epoch, stream, durability, first, head, "
                           "trimmed, total, recorded) VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 0, 0, 0)")
                      .add(update_,
                           "UPDATE log SET first = ?2, head = ?3, trimmed = ?4, total = ?5, "
                           "recorded = ?6 WHERE no = ?1")
                      .add(forget_, "DELETE FROM log WHERE no = ?1")
                      .add(count_,
                           "INSERT INTO meta VALUES (?1, 1) ON CONFLICT DO UPDATE "
                           "SET value = value + 1 RETURNING value")
                      .done();
  if (!prepared) return prepared;
  if (auto status = load_node_id(connection); !status) return status;
  return load_logs(connection);
}

Status LogTable::load_node_id(Connection& connection) {
  auto found = connection.text("SELECT value FROM meta WHERE name = 'node_id'");
  if (found) {
    node_id_ = *found;
    return {};
  }
  if (found.error().code != Errc::NotFound) return tl::unexpected(found.error());
  node_id_ = random_hex(16);
  auto insert = Statement::prepare(connection, "INSERT INTO meta VALUES ('node_id', ?1)");
  if (!insert) return tl::unexpected(insert.error());
  return insert->bind(1, node_id_).run();
}

Status LogTable::load_logs(Connection& connection) {
  auto select = Statement::prepare(
      connection,
      "SELECT no, origin, epoch, stream, durability, first, head, trimmed, total, "
      "recorded FROM log ORDER BY no");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    LogState log;
    log.record.no = static_cast<std::uint32_t>(select->number(0));
    log.record.id = {std::string(select->text(1)), std::string(select->text(2)),
                     std::string(select->text(3))};
    log.record.durability = parse_durability(select->text(4)).value_or(Durability::Fsync);
    log.record.first = static_cast<std::uint64_t>(select->number(5));
    log.record.head = static_cast<std::uint64_t>(select->number(6));
    log.trimmed = static_cast<std::uint64_t>(select->number(7));
    log.total = static_cast<std::uint64_t>(select->number(8));
    log.recorded = wall(select->number(9));
    log.record.bytes = log.total - log.trimmed;
    log.stream = stream_index(log.record.id.stream);
    recorded_ = std::max(recorded_, log.recorded);
    logs_.emplace(log.record.no, std::move(log));
  }
}

std::size_t LogTable::stream_index(std::string_view name) const {
  const auto& streams = streams_.streams();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (streams[i].name == name) return i;
  }
  return streams.size() - 1;
}

bool LogTable::opens(std::size_t stream) const { return current_[stream] == nullptr; }

Result<LogState*> LogTable::current(std::size_t stream) {
  if (LogState* const open = current_[stream]) return open;
  return open_log(stream);
}

Result<std::int64_t> LogTable::next_number(std::string_view name) {
  const auto row = count_.bind(1, name).step();
  if (!row) return tl::unexpected(row.error());
  const std::int64_t number = count_.number(0);
  if (auto status = count_.run(); !status) return tl::unexpected(status.error());
  return number;
}

Status LogTable::open_epoch() {
  const auto number = next_number("epochs");
  if (!number) return tl::unexpected(number.error());
  epoch_ = fmt::format("{}-{}", *number, random_hex(4));
  return {};
}

Result<LogState*> LogTable::open_log(std::size_t stream) {
  if (epoch_.empty()) {
    if (auto status = open_epoch(); !status) return tl::unexpected(status.error());
  }
  const auto no = next_number("logs");
  if (!no) return tl::unexpected(no.error());
  const StreamOptions& options = streams_.streams()[stream];
  LogState log;
  log.record.no = static_cast<std::uint32_t>(*no);
  log.record.id = {node_id_, epoch_, options.name};
  log.record.open = true;
  log.record.durability = options.durability.value_or(Durability::Fsync);
  log.stream = stream;
  auto status = insert_.bind(1, *no)
                    .bind(2, log.record.id.origin)
                    .bind(3, log.record.id.epoch)
                    .bind(4, log.record.id.stream)
                    .bind(5, name(log.record.durability))
                    .run();
  if (!status) return tl::unexpected(status.error());
  LogState& kept = logs_.emplace(log.record.no, std::move(log)).first->second;
  current_[stream] = &kept;
  touch(kept);
  return &kept;
}

LogState* LogTable::find(std::uint32_t no) {
  const auto found = logs_.find(no);
  return found == logs_.end() ? nullptr : &found->second;
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
    recorded_ = std::max(recorded_, log.recorded);
    // Of a log in memory only its making is on disk, so that its number is not used again.
    if (log.record.durability == Durability::Memory) continue;
    auto status = update_.bind(1, std::int64_t{log.record.no})
                      .bind(2, static_cast<std::int64_t>(log.record.first))
                      .bind(3, static_cast<std::int64_t>(log.record.head))
                      .bind(4, static_cast<std::int64_t>(log.trimmed))
                      .bind(5, static_cast<std::int64_t>(log.total))
                      .bind(6, log.recorded.time_since_epoch().count())
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
  logs_.erase(no);
  return forget_.bind(1, std::int64_t{no}).run();
}

}  // namespace marram::store
