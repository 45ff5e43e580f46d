#include "core/store/gap_table.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace marram::store {

Status GapTable::load(Connection& connection) {
  // The rows of a log do not overlap, so that the last one that begins before a seq is
  // the only one of those that can reach it.
  auto status =
      Preparer(connection)
          .add(widen_,
               "UPDATE gap SET \"to\" = ?3 WHERE log = ?1 AND \"from\" = (SELECT max(\"from\") "
               "FROM gap WHERE log = ?1 AND \"from\" < ?2) AND \"to\" = ?2 - 1 "
               "AND reason = ?4 RETURNING 1")
          .add(insert_, "INSERT INTO gap VALUES (?1, ?2, ?3, ?4)")
          .add(overlaps_,
               "SELECT \"from\", \"to\" FROM gap WHERE log = ?1 AND \"from\" <= ?3 AND \"to\" >= "
               "?2 AND \"from\" >= coalesce((SELECT max(\"from\") FROM gap WHERE log = ?1 AND "
               "\"from\" <= ?2), 0) ORDER BY \"from\"")
          .add(count_,
               "INSERT INTO dropped VALUES (?1, ?2) ON CONFLICT DO UPDATE "
               "SET events = events + excluded.events")
          .add(forget_, "DELETE FROM gap WHERE log = ?1 AND \"to\" <= ?2")
          .add(has_, "SELECT 1 FROM gap WHERE log = ?1 LIMIT 1")
          .done();
  if (!status) return status;
  auto select = Statement::prepare(connection, "SELECT reason, events FROM dropped");
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    dropped_[std::string(select->text(0))] = static_cast<std::uint64_t>(select->number(1));
  }
}

Status GapTable::count(const std::string& reason, std::uint64_t events) {
  dropped_[reason] += events;
  return count_.bind(1, reason).bind(2, static_cast<std::int64_t>(events)).run();
}

Status GapTable::add(const Gap& gap) {
  std::vector<Gap> parts;
  std::uint64_t next = gap.from;
  overlaps_.bind(1, std::int64_t{gap.log})
      .bind(2, static_cast<std::int64_t>(gap.from))
      .bind(3, static_cast<std::int64_t>(gap.to));
  for (;;) {
    const auto row = overlaps_.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const auto from = static_cast<std::uint64_t>(overlaps_.number(0));
    if (from > next) parts.push_back({gap.log, next, from - 1, gap.reason});
    next = std::max(next, static_cast<std::uint64_t>(overlaps_.number(1)) + 1);
  }
  if (next <= gap.to) parts.push_back({gap.log, next, gap.to, gap.reason});
  for (const Gap& part : parts) {
    if (auto status = put(part); !status) return status;
  }
  return {};
}

// Nothing of it is there yet.
Status GapTable::put(const Gap& gap) {
  for (Statement* const statement : {&widen_, &insert_}) {
    statement->bind(1, std::int64_t{gap.log})
        .bind(2, static_cast<std::int64_t>(gap.from))
        .bind(3, static_cast<std::int64_t>(gap.to))
        .bind(4, gap.reason);
    const auto widened = statement->step();
    if (!widened) return tl::unexpected(widened.error());
    statement->reset();
    if (*widened) return {};
  }
  return {};
}

Status GapTable::forget(std::uint32_t log, std::uint64_t upto) {
  const auto last = static_cast<std::int64_t>(std::min<std::uint64_t>(upto, INT64_MAX));
  return forget_.bind(1, std::int64_t{log}).bind(2, last).run();
}

Result<bool> GapTable::has(std::uint32_t log) {
  const auto row = has_.bind(1, std::int64_t{log}).step();
  has_.reset();
  return row;
}

}  // namespace marram::store
