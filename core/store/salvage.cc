#include "core/store/salvage.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

#include "core/base/ids.h"
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

// Makes one whole of the parts: logs of which only events are left, numbers that
// must not be given again, cursors and filters without an owner.
constexpr const char* kMend = R"sql(
BEGIN;
INSERT OR IGNORE INTO meta VALUES ('node_id', '{0}');
INSERT INTO log SELECT position >> 40, (SELECT value FROM meta WHERE name = 'node_id'),
    'salvaged-' || (position >> 40), 'events', 'fsync', min(position & 0xFFFFFFFFFF),
    max(position & 0xFFFFFFFFFF), 0, max(total), max(recorded)
  FROM event WHERE position >> 40 NOT IN (SELECT no FROM log) GROUP BY position >> 40;
UPDATE log SET head = max(head, coalesce((SELECT max(position) & 0xFFFFFFFFFF FROM event
    WHERE position BETWEEN no << 40 AND no << 40 | 0xFFFFFFFFFF), 0));
DELETE FROM cursor WHERE log NOT IN (SELECT no FROM log)
    OR consumer NOT IN (SELECT no FROM consumer);
DELETE FROM filter WHERE consumer NOT IN (SELECT no FROM consumer);
UPDATE cursor SET upto = min(upto, (SELECT head FROM log WHERE no = log));
INSERT INTO meta SELECT 'logs', coalesce(max(no), 0) FROM log WHERE true
  ON CONFLICT DO UPDATE SET value = max(value, excluded.value);
INSERT INTO meta SELECT 'consumers', coalesce(max(no), 0) FROM consumer WHERE true
  ON CONFLICT DO UPDATE SET value = max(value, excluded.value);
INSERT INTO dropped SELECT 'corrupt', max(0, coalesce(sum(head - first + 1), 0)
    - (SELECT count(*) FROM event)) FROM log WHERE durability <> 'memory'
  ON CONFLICT DO UPDATE SET events = events + excluded.events;
COMMIT;
)sql";

Result<SalvageCount> count(Connection& connection) {
  const auto events = connection.number("SELECT count(*) FROM event");
  if (!events) return tl::unexpected(events.error());
  const auto expected = connection.number(
      "SELECT coalesce(sum(head - first + 1), 0) FROM log WHERE durability <> 'memory'");
  if (!expected) return tl::unexpected(expected.error());
  return SalvageCount{static_cast<std::uint64_t>(*events),
                      static_cast<std::uint64_t>(std::max<std::int64_t>(*expected - *events, 0))};
}

Status copy_all(Connection& connection, const std::filesystem::path& damaged) {
  auto attach = Statement::prepare(connection, "ATTACH ?1 AS bad");
  if (!attach) return tl::unexpected(attach.error());
  if (!attach->bind(1, damaged.native()).run()) return {};  // nothing of it reads
  Salvage salvage(connection);
  for (const char* const table :
       {"meta", "log", "gap", "dropped", "consumer", "filter", "cursor"}) {
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
  const std::string mend = fmt::format(fmt::runtime(kMend), random_hex(16));
  if (status) status = connection->run(mend.c_str());
  if (status) status = connection->run("PRAGMA main.wal_checkpoint(TRUNCATE)");
  if (!status) return tl::unexpected(status.error());
  return count(*connection);
}

}  // namespace marram::store
