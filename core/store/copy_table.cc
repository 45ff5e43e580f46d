#include "core/store/copy_table.h"

#include <algorithm>
#include <utility>

namespace marram::store {

namespace {

std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }
std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }

// Calls `take` with each row and the log of its first column, where there is such a log.
template <class Take>
Status each_row(Connection& connection, const char* sql, LogTable& logs, Take take) {
  auto select = Statement::prepare(connection, sql);
  if (!select) return tl::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    LogState* const log = logs.find(static_cast<std::uint32_t>(select->number(0)));
    if (log != nullptr) take(*log, *select);
  }
}

}  // namespace

Status CopyTable::load(Connection& connection, LogTable& logs) {
  auto prepared =
      Preparer(connection)
          .add(put_filter_,
               "INSERT INTO copy_filter VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE "
               "SET \"from\" = max(\"from\", excluded.\"from\")")
          .add(raise_filters_,
               "UPDATE copy_filter SET \"from\" = ?2 WHERE log = ?1 AND \"from\" < ?2")
          .add(remove_filters_, "DELETE FROM copy_filter WHERE log = ?1")
          .add(put_backfill_, "INSERT OR REPLACE INTO backfill VALUES (?1, ?2, ?3, ?4, ?5)")
          .add(move_backfill_, "UPDATE backfill SET upto = ?2 WHERE log = ?1")
          .add(remove_backfill_, "DELETE FROM backfill WHERE log = ?1")
          .add(put_backfill_filter_, "INSERT OR IGNORE INTO backfill_filter VALUES (?1, ?2)")
          .add(remove_backfill_filters_, "DELETE FROM backfill_filter WHERE log = ?1")
          .done();
  if (!prepared) return prepared;
  if (auto status = load_filters(connection, logs); !status) return status;
  return load_backfills(connection, logs);
}

Status CopyTable::load_filters(Connection& connection, LogTable& logs) {
  return each_row(
      connection, "SELECT log, filter, \"from\" FROM copy_filter ORDER BY log, filter", logs,
      [](LogState& log, const Statement& row) {
        log.record.filters.push_back({std::string(row.text(1)), unsigned_of(row.number(2))});
      });
}

Status CopyTable::load_backfills(Connection& connection, LogTable& logs) {
  auto status = each_row(connection, "SELECT log, \"from\", \"to\", upto, whole FROM backfill",
                         logs, [](LogState& log, const Statement& row) {
                           log.backfill = {.from = unsigned_of(row.number(1)),
                                           .to = unsigned_of(row.number(2)),
                                           .upto = unsigned_of(row.number(3)),
                                           .all = row.number(4) != 0,
                                           .filters = {}};
                         });
  if (!status) return status;
  return each_row(connection, "SELECT log, filter FROM backfill_filter ORDER BY log, filter", logs,
                  [](LogState& log, const Statement& row) {
                    if (log.backfill) log.backfill->filters.emplace_back(row.text(1));
                  });
}

Status CopyTable::put_filters(LogState& log, std::vector<CopyFilter> filters) {
  log.record.filters = std::move(filters);
  if (log.in_memory()) return {};
  const std::int64_t no = log.record.no;
  if (auto status = remove_filters_.bind(1, no).run(); !status) return status;
  for (const CopyFilter& filter : log.record.filters) {
    auto status =
        put_filter_.bind(1, no).bind(2, filter.filter).bind(3, signed_of(filter.from)).run();
    if (!status) return status;
  }
  return {};
}

Status CopyTable::raise_filters(LogState& log, std::uint64_t first) {
  bool raised = false;
  for (CopyFilter& filter : log.record.filters) {
    raised = raised || filter.from < first;
    filter.from = std::max(filter.from, first);
  }
  if (!raised || log.in_memory()) return {};
  return raise_filters_.bind(1, std::int64_t{log.record.no}).bind(2, signed_of(first)).run();
}

Status CopyTable::put_backfill(LogState& log, std::optional<BackfillRecord> backfill) {
  log.backfill = std::move(backfill);
  if (log.in_memory()) return {};
  const std::int64_t no = log.record.no;
  for (Statement* const statement : {&remove_backfill_, &remove_backfill_filters_}) {
    if (auto status = statement->bind(1, no).run(); !status) return status;
  }
  if (!log.backfill) return {};
  auto status = put_backfill_.bind(1, no)
                    .bind(2, signed_of(log.backfill->from))
                    .bind(3, signed_of(log.backfill->to))
                    .bind(4, signed_of(log.backfill->upto))
                    .bind(5, std::int64_t{log.backfill->all ? 1 : 0})
                    .run();
  for (const std::string& filter : log.backfill->filters) {
    if (!status) return status;
    status = put_backfill_filter_.bind(1, no).bind(2, filter).run();
  }
  return status;
}

Status CopyTable::move_backfill(LogState& log, std::uint64_t upto) {
  log.backfill->upto = upto;
  if (log.in_memory()) return {};
  return move_backfill_.bind(1, std::int64_t{log.record.no}).bind(2, signed_of(upto)).run();
}

Status CopyTable::forget(std::uint32_t log) {
  for (Statement* const statement :
       {&remove_filters_, &remove_backfill_, &remove_backfill_filters_}) {
    if (auto status = statement->bind(1, std::int64_t{log}).run(); !status) return status;
  }
  return {};
}

}  // namespace marram::store
