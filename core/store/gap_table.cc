#include "core/store/gap_table.h"

#include <algorithm>
#include <cstdint>

namespace marram::store {

Status GapTable::load(Connection& connection) {
  auto status = Preparer(connection)
                    .add(widen_,
                         "UPDATE gap SET \"to\" = ?3 WHERE log = ?1 AND \"to\" = ?2 - 1 "
                         "AND reason = ?4 RETURNING 1")
                    .add(insert_, "INSERT OR REPLACE INTO gap VALUES (?1, ?2, ?3, ?4)")
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

Status GapTable::add(const Gap& gap) {
  const auto events = gap.to - gap.from + 1;
  dropped_[gap.reason] += events;
  auto status = count_.bind(1, gap.reason).bind(2, static_cast<std::int64_t>(events)).run();
  if (!status) return status;
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
