// What a copy has besides its events: filters, and the backfill under way.
//
// The values stand in LogState; here are their rows.  Like the other tables it is part
// of the open transaction.  Nothing is written for a log in memory.
#pragma once

#include <cstdint>

#include "core/event/log_record.h"
#include "core/store/log_table.h"
#include "core/store/sqlite.h"

namespace marram::store {

class CopyTable {
 public:
  // Puts what is stored into the logs.
  Status load(Connection& connection, LogTable& logs);

  Status put_filters(LogState& log, std::vector<CopyFilter> filters);
  // No filter of the log claims to have what is before `first`.
  Status raise_filters(LogState& log, std::uint64_t first);
  // Replaces the backfill there is; empty: there is none any more.
  Status put_backfill(LogState& log, std::optional<BackfillRecord> backfill);
  Status move_backfill(LogState& log, std::uint64_t upto);
  // Forgets the rows of a log.
  Status forget(std::uint32_t log);

 private:
  Status load_filters(Connection& connection, LogTable& logs);
  Status load_backfills(Connection& connection, LogTable& logs);

  Statement put_filter_;
  Statement raise_filters_;
  Statement remove_filters_;
  Statement put_backfill_;
  Statement move_backfill_;
  Statement remove_backfill_;
  Statement put_backfill_filter_;
  Statement remove_backfill_filters_;
};

}  // namespace marram::store
