#include "core/store/salvage.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

#include "core/base/ids.h"
#include "core/event/event.h"
#include "core/store/schema.h"
#include "core/store/sqlite.h"

namespace marram::store {

namespace {

constexpr std::int64_t kStretch = 256;
constexpr int kFailuresMax = 200;

bool disk_failed(const Error& error) { return error.code == Errc::Full || error.code == Errc::Io; }

class Salvage {
 public:
  explicit Salvage(Connection& connection) : connection_(connection) {}

  Status copy_table(const std::string& name);
  Status copy_events();

 private:
  Status prepare();
  // The first position at or after, the last at or before; -1: none.
  Result<std::int64_t> next(std::int64_t position) { return look_up(next_, position); }
  Result<std::int64_t> previous(std::int64_t position) { return look_up(previous_, position); }
  static Result<std::int64_t> look_up(Statement& statement, std::int64_t position);
  Status copy(std::int64_t from, std::int64_t to);
  Status copy_stretch(std::int64_t from, std::int64_t to);
  Status copy_backwards(std::int64_t down_to);

  Connection& connection_;
  Statement next_;
  Statement previous_;
  Statement copy_;
};

Status Salvage::copy_table(const std::string& name) {
  auto select = Statement::prepare(connection_, fmt::format("SELECT * FROM bad.{}", name));
  if (!select) return {};  // not even the schema reads
  std::string marks = "?";
  for (int i = 1; i < select->columns(); ++i) marks += ",?";
  auto insert = Statement::prepare(
      connection_, fmt::format("INSERT OR IGNORE INTO main.{} VALUES ({})", name, marks));
  if (!insert) return {};
  for (;;) {
    const auto row = select->step();
    if (!row || !*row) return {};  // what comes after a damaged page is lost
    for (int i = 0; i < select->columns(); ++i) insert->bind_value(i + 1, *select, i);
    const auto status = insert->run();
    if (!status && disk_failed(status.error())) return status;
  }
}

Status Salvage::prepare() {
  return Preparer(connection_)
      .add(next_, "SELECT position FROM bad.event WHERE position >= ?1 ORDER BY position LIMIT 1")
      .add(previous_,
           "SELECT position FROM bad.event WHERE position <= ?1 "
           "ORDER BY position DESC LIMIT 1")
      .add(copy_,
           "INSERT OR IGNORE INTO main.event "
           "SELECT * FROM bad.event WHERE position BETWEEN ?1 AND ?2")
      .done();
}

Result<std::int64_t> Salvage::look_up(Statement& statement, std::int64_t position) {
  const auto row = statement.bind(1, position).step();
  if (!row) return tl::unexpected(row.error());
  const std::int64_t found = *row ? statement.number(0) : -1;
  statement.reset();
  return found;
}

Status Salvage::copy(std::int64_t from, std::int64_t to) {
  return copy_.bind(1, from).bind(2, to).run();
}

Status Salvage::copy_stretch(std::int64_t from, std::int64_t to) {
  auto status = copy(from, to);
  if (status || disk_failed(status.error())) return status;
  for (std::int64_t position = from; position <= to; ++position) {
    status = copy(position, position);
    if (!status && disk_failed(status.error())) return status;
  }
  return {};
}

Status Salvage::copy_events() {
  if (!prepare()) return {};
  std::int64_t at = 1;
  std::int64_t skip = 1;
  int failures = 0;
  while (failures < kFailuresMax) {
    const auto found = next(at);
    if (found && *found < 0) return {};
    if (!found) {
      // Behind a damaged page; how much it held cannot be known.
      if (++failures; at > std::numeric_limits<std::int64_t>::max() / 2 - skip) break;
      at += skip;
      skip *= 2;
      continue;
    }
    failures = 0;
    skip = 1;
    if (auto status = copy_stretch(*found, *found + kStretch - 1); !status) return status;
    at = *found + kStretch;
  }
  return copy_backwards(at);
}

Status Salvage::copy_backwards(std::int64_t down_to) {
  std::int64_t at = std::numeric_limits<std::int64_t>::max();
  for (;;) {
    const auto found = previous(at);
    if (!found || *found < 0 || *found < down_to) return {};
    if (auto status = copy_stretch(*found - kStretch + 1, *found); !status) return status;
    at = *found - kStretch;
  }
}

// Makes one whole of the parts: logs of which only events are left, numbers that must not be
// given again, rows without an owner.  What this node wrote itself and has lost is said to be
// corrupt; a copy of somebody else's log claims less, so that it is asked for again.
constexpr const char* kMendLogs = R"sql(
INSERT OR IGNORE INTO meta VALUES ('node_id', '{0}');
INSERT INTO log SELECT position >> 40, (SELECT value FROM meta WHERE name = 'node_id'),
    'salvaged-' || (position >> 40), 'events', 'fsync', min(position & {1}), max(position & {1}),
    min(position & {1}), max(position) - min(position) + 1,
    max(max(total), 0) + sum(max(-total, 0)), 0, max(max(total), 0), max(recorded), 1
  FROM event WHERE position >> 40 NOT IN (SELECT no FROM log) GROUP BY position >> 40;
UPDATE log SET head = max(head, coalesce((SELECT max(position) & {1} FROM event
    WHERE position BETWEEN no << 40 AND no << 40 | {1}), 0));
CREATE TEMP TABLE lost AS SELECT no, events, origin <> (SELECT value FROM meta
    WHERE name = 'node_id') AS is_copy, events - (SELECT count(*) FROM event
    WHERE position BETWEEN no << 40 AND no << 40 | {1}) AS missing FROM log;
DELETE FROM lost WHERE missing <= 0;
INSERT INTO dropped SELECT 'corrupt', coalesce(sum(missing), 0) FROM lost WHERE NOT is_copy
  ON CONFLICT DO UPDATE SET events = events + excluded.events;
UPDATE log SET events = events - (SELECT missing FROM lost WHERE lost.no = log.no)
  WHERE no IN (SELECT no FROM lost);
INSERT INTO meta SELECT 'logs', coalesce(max(no), 0) FROM log WHERE true
  ON CONFLICT DO UPDATE SET value = max(value, excluded.value);
INSERT INTO meta SELECT 'consumers', coalesce(max(no), 0) FROM consumer WHERE true
  ON CONFLICT DO UPDATE SET value = max(value, excluded.value);
)sql";

// Whole again behind the last hole that no gap explains.
constexpr const char* kMendCopies = R"sql(
UPDATE log SET whole_from = coalesce((SELECT max(seq) FROM (
      SELECT position & {0} AS seq, max(coalesce(lag(position & {0}) OVER (ORDER BY position), 0),
        log.whole_from - 1) AS before
      FROM event WHERE position BETWEEN no << 40 | whole_from AND no << 40 | {0})
    WHERE seq - before - 1 > (SELECT coalesce(sum(min("to", seq - 1) - max("from", before + 1) + 1),
      0) FROM gap WHERE gap.log = log.no AND "from" < seq AND "to" > before)), whole_from)
  WHERE whole_from > 0 AND no IN (SELECT no FROM lost WHERE is_copy);
UPDATE log SET head = max(first - 1, coalesce((SELECT max(position) & {0} FROM event
      WHERE position BETWEEN no << 40 AND no << 40 | {0}), 0),
    coalesce((SELECT max("to") FROM gap WHERE gap.log = log.no), 0))
  WHERE whole_from > 0 AND no IN (SELECT no FROM lost WHERE is_copy);
UPDATE log SET whole_from = head + 1 WHERE whole_from > head + 1;
UPDATE copy_filter SET "from" = (SELECT head + 1 FROM log WHERE no = log)
  WHERE log IN (SELECT no FROM lost WHERE is_copy);
UPDATE backfill SET upto = "from" - 1, "to" = min("to", (SELECT head FROM log WHERE no = log))
  WHERE log IN (SELECT no FROM lost WHERE is_copy);
DELETE FROM backfill WHERE "to" < "from" OR log NOT IN (SELECT no FROM log);
DELETE FROM backfill_filter WHERE log NOT IN (SELECT log FROM backfill);
DELETE FROM copy_filter WHERE log NOT IN (SELECT no FROM log);
DELETE FROM hold_log WHERE log NOT IN (SELECT no FROM log)
    OR NOT EXISTS (SELECT 1 FROM hold WHERE hold.peer = hold_log.peer
      AND hold.stream = hold_log.stream);
DELETE FROM cursor WHERE log NOT IN (SELECT no FROM log)
    OR consumer NOT IN (SELECT no FROM consumer);
DELETE FROM filter WHERE consumer NOT IN (SELECT no FROM consumer);
UPDATE cursor SET upto = min(upto, (SELECT head FROM log WHERE no = log));
)sql";

Status mend(Connection& connection) {
  constexpr std::int64_t kSeqs = (std::int64_t{1} << Position::kSeqBits) - 1;
  const std::string sql = fmt::format("BEGIN; {} {} COMMIT;",
                                      fmt::format(fmt::runtime(kMendLogs), random_hex(16), kSeqs),
                                      fmt::format(fmt::runtime(kMendCopies), kSeqs));
  return connection.run(sql.c_str());
}

Result<SalvageCount> count(Connection& connection) {
  const auto events = connection.number("SELECT count(*) FROM event");
  if (!events) return tl::unexpected(events.error());
  const auto lost = connection.number("SELECT coalesce(sum(missing), 0) FROM lost");
  if (!lost) return tl::unexpected(lost.error());
  return SalvageCount{static_cast<std::uint64_t>(*events), static_cast<std::uint64_t>(*lost)};
}

Status copy_all(Connection& connection, const std::filesystem::path& damaged) {
  auto attach = Statement::prepare(connection, "ATTACH ?1 AS bad");
  if (!attach) return tl::unexpected(attach.error());
  if (!attach->bind(1, damaged.native()).run()) return {};  // nothing of it reads
  Salvage salvage(connection);
  for (const char* const table :
       {"meta", "log", "copy_filter", "backfill", "backfill_filter", "gap", "dropped", "consumer",
        "filter", "cursor", "hold", "hold_log"}) {
    if (auto status = salvage.copy_table(table); !status) return status;
  }
  return salvage.copy_events();
}

}  // namespace

Result<SalvageCount> salvage(const std::filesystem::path& damaged,
                             const std::filesystem::path& copy) {
  auto connection = Connection::open(copy, Access::ReadWrite, "");
  if (!connection) return tl::unexpected(connection.error());
  auto status = prepare_schema(*connection);
  // Syncs come with the checkpoints, and the last one takes all.
  if (status)
    status = connection->run("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2000");
  if (status) status = copy_all(*connection, damaged);
  if (status) status = mend(*connection);
  if (status) status = connection->run("PRAGMA main.wal_checkpoint(TRUNCATE)");
  if (!status) return tl::unexpected(status.error());
  return count(*connection);
}

}  // namespace marram::store
