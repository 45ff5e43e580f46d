#include "core/store/hold_table.h"

namespace marram::store {

namespace {

// How often moves are noted as a sign of life of the peer.
constexpr Duration kSeenEvery = std::chrono::minutes(1);

}  // namespace

Status HoldTable::load(Connection& connection) {
  auto prepared = Preparer(connection)
                      .add(put_,
                           "INSERT INTO hold VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE "
                           "SET contact = excluded.contact")
                      .add(remove_, "DELETE FROM hold WHERE peer = ?1 AND stream = ?2")
                      .add(put_log_,
                           "INSERT INTO hold_log VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE "
                           "SET acked = excluded.acked")
                      .add(remove_logs_, "DELETE FROM hold_log WHERE peer = ?1 AND stream = ?2")
                      .add(forget_log_, "DELETE FROM hold_log WHERE log = ?1")
                      .done();
  if (!prepared) return prepared;
  auto select = Statement::prepare(connection, "SELECT peer, stream, contact FROM hold");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return load_logs(connection);
    HoldRecord hold;
    hold.peer = select->text(0);
    hold.stream = select->text(1);
    hold.contact = WallTime(Duration(select->number(2)));
    const Key key(hold.peer, hold.stream);
    holds_.emplace(key, std::move(hold));
  }
}

Status HoldTable::load_logs(Connection& connection) {
  auto select = Statement::prepare(connection, "SELECT peer, stream, log, acked FROM hold_log");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    const auto found = holds_.find({std::string(select->text(0)), std::string(select->text(1))});
    const auto log = static_cast<std::uint32_t>(select->number(2));
    if (found == holds_.end()) continue;
    found->second.acked[log] = static_cast<std::uint64_t>(select->number(3));
    by_log_[log].push_back(&found->second);
  }
}

Status HoldTable::put(const HoldRecord& hold) {
  ++lowered_;
  auto status = put_.bind(1, hold.peer)
                    .bind(2, hold.stream)
                    .bind(3, hold.contact.time_since_epoch().count())
                    .run();
  if (!status) return status;
  HoldRecord& kept = holds_.try_emplace({hold.peer, hold.stream}).first->second;
  kept.peer = hold.peer;
  kept.stream = hold.stream;
  kept.contact = hold.contact;
  for (const auto& [log, acked] : hold.acked) {
    if (status = write(kept, log, acked); !status) return status;
  }
  return {};
}

// Writes the entry, unless it is as it was.
Status HoldTable::write(HoldRecord& hold, std::uint32_t log, std::uint64_t acked) {
  if (!logs_.all().contains(log)) return {};
  const auto [entry, is_new] = hold.acked.try_emplace(log, acked);
  if (!is_new && entry->second == acked) return {};
  entry->second = acked;
  if (is_new) by_log_[log].push_back(&hold);
  return put_log_.bind(1, hold.peer)
      .bind(2, hold.stream)
      .bind(3, std::int64_t{log})
      .bind(4, static_cast<std::int64_t>(std::min(acked, HoldRecord::kReleased)))
      .run();
}

Status HoldTable::hold_new(const LogRecord& log) {
  for (auto& [key, hold] : holds_) {
    if (hold.stream != log.id.stream || hold.peer == log.id.origin) continue;
    if (hold.acked.contains(log.no)) continue;
    ++lowered_;
    if (auto status = write(hold, log.no, 0); !status) return status;
  }
  return {};
}

Status HoldTable::remove(const std::string& peer, const std::string& stream) {
  const auto found = holds_.find({peer, stream});
  if (found == holds_.end()) return {};
  for (Statement* const statement : {&remove_, &remove_logs_}) {
    if (auto status = statement->bind(1, peer).bind(2, stream).run(); !status) return status;
  }
  for (const auto& [log, acked] : found->second.acked) {
    std::erase(by_log_[log], &found->second);
    if (by_log_[log].empty()) by_log_.erase(log);
  }
  holds_.erase(found);
  return {};
}

Status HoldTable::move(const HoldMove& move, WallTime contact) {
  const auto found = holds_.find({move.peer, move.stream});
  if (found == holds_.end()) return {};
  HoldRecord& hold = found->second;
  if (auto status = see(hold, contact); !status) return status;
  const auto entry = hold.acked.find(move.log);
  if (entry == hold.acked.end()) ++lowered_;
  if (entry != hold.acked.end() && move.acked <= entry->second) return {};
  return write(hold, move.log, move.acked);
}

Status HoldTable::see(HoldRecord& hold, WallTime contact) {
  if (contact - hold.contact <= kSeenEvery) return {};
  hold.contact = contact;
  return put_.bind(1, hold.peer)
      .bind(2, hold.stream)
      .bind(3, contact.time_since_epoch().count())
      .run();
}

Status HoldTable::forget_log(std::uint32_t log) {
  for (auto& [key, hold] : holds_) hold.acked.erase(log);
  by_log_.erase(log);
  return forget_log_.bind(1, std::int64_t{log}).run();
}

std::vector<HoldRecord> HoldTable::all() const {
  std::vector<HoldRecord> holds;
  holds.reserve(holds_.size());
  for (const auto& [key, hold] : holds_) holds.push_back(hold);
  return holds;
}

HoldTable::Lowest HoldTable::lowest(std::uint32_t log) const {
  Lowest lowest;
  const auto found = by_log_.find(log);
  if (found == by_log_.end()) return lowest;
  for (const HoldRecord* const hold : found->second) {
    const std::uint64_t acked = hold->acked.at(log);
    if (acked < lowest.acked) lowest = {acked, hold};
  }
  return lowest;
}

}  // namespace marram::store
