#include "core/store/schema.h"

#include <fmt/format.h>

#include <array>

namespace marram::store {

namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
  no INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  epoch TEXT NOT NULL,
  stream TEXT NOT NULL,
  durability TEXT NOT NULL,
  first INTEGER NOT NULL,
  head INTEGER NOT NULL,
  whole_from INTEGER NOT NULL,
  events INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  trimmed INTEGER NOT NULL,
  total INTEGER NOT NULL,
  recorded INTEGER NOT NULL,
  mixed INTEGER NOT NULL,
  UNIQUE (origin, epoch, stream)
) STRICT;

CREATE TABLE copy_filter (
  log INTEGER NOT NULL,
  filter TEXT NOT NULL,
  "from" INTEGER NOT NULL,
  PRIMARY KEY (log, filter)
) STRICT, WITHOUT ROWID;

CREATE TABLE backfill (
  log INTEGER PRIMARY KEY,
  "from" INTEGER NOT NULL,
  "to" INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  whole INTEGER NOT NULL
) STRICT;

CREATE TABLE backfill_filter (
  log INTEGER NOT NULL,
  filter TEXT NOT NULL,
  PRIMARY KEY (log, filter)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  position INTEGER PRIMARY KEY,
  recorded INTEGER NOT NULL,
  total INTEGER NOT NULL,
  time INTEGER NOT NULL,
  expires INTEGER,
  id ANY NOT NULL,
  topic TEXT NOT NULL,
  key TEXT,
  content_type TEXT,
  client TEXT,
  headers TEXT,
  payload BLOB NOT NULL
) STRICT;

CREATE TABLE gap (
  log INTEGER NOT NULL,
  "from" INTEGER NOT NULL,
  "to" INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (log, "from")
) STRICT, WITHOUT ROWID;

CREATE TABLE dropped (
  reason TEXT PRIMARY KEY,
  events INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer (
  no INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  start TEXT NOT NULL,
  start_value INTEGER NOT NULL,
  attributes TEXT NOT NULL,
  created INTEGER NOT NULL,
  seen INTEGER NOT NULL
) STRICT;

CREATE TABLE filter (
  consumer INTEGER NOT NULL,
  no INTEGER NOT NULL,
  filter TEXT NOT NULL,
  "after" INTEGER NOT NULL,
  PRIMARY KEY (consumer, no)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
  consumer INTEGER NOT NULL,
  log INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  PRIMARY KEY (consumer, log)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
  peer TEXT NOT NULL,
  stream TEXT NOT NULL,
  contact INTEGER NOT NULL,
  PRIMARY KEY (peer, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold_log (
  peer TEXT NOT NULL,
  stream TEXT NOT NULL,
  log INTEGER NOT NULL,
  acked INTEGER NOT NULL,
  PRIMARY KEY (peer, stream, log)
) STRICT, WITHOUT ROWID;
)sql";

// {0} is a column of microseconds.
constexpr std::string_view kIso =
    "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch') || "
    "printf('.%06dZ', {0} % 1000000)";

std::string iso(std::string_view column) { return fmt::format(fmt::runtime(kIso), column); }

std::string views() {
  return fmt::format(R"sql(
CREATE VIEW events AS SELECT
  event.position AS position,
  event.position >> 40 AS log,
  event.position & 0xFFFFFFFFFF AS seq,
  log.stream AS stream,
  log.origin AS origin,
  log.epoch AS epoch,
  {} AS recorded,
  {} AS time,
  CASE WHEN event.expires IS NOT NULL THEN {} END AS expires,
  CASE typeof(event.id) WHEN 'blob' THEN lower(
    substr(hex(event.id), 1, 8) || '-' || substr(hex(event.id), 9, 4) || '-' ||
    substr(hex(event.id), 13, 4) || '-' || substr(hex(event.id), 17, 4) || '-' ||
    substr(hex(event.id), 21)) ELSE event.id END AS id,
  event.topic AS topic,
  coalesce(event.key, event.topic) AS key,
  event.content_type AS content_type,
  event.client AS client,
  event.headers AS headers,
  event.payload AS payload
FROM event LEFT JOIN log ON log.no = event.position >> 40;

CREATE VIEW consumers AS SELECT
  consumer.no AS no,
  consumer.name AS name,
  (SELECT json_group_array(filter) FROM (SELECT filter FROM filter
     WHERE filter.consumer = consumer.no ORDER BY filter.no)) AS filters,
  {} AS created,
  {} AS seen,
  (SELECT json_group_object(log.origin || '.' || log.epoch || '.' || log.stream, cursor.upto)
     FROM cursor JOIN log ON log.no = cursor.log
     WHERE cursor.consumer = consumer.no) AS cursors,
  (SELECT coalesce(sum(max(log.head - max(coalesce(cursor.upto, 0), log.first - 1), 0)), 0)
     FROM log LEFT JOIN cursor ON cursor.log = log.no AND cursor.consumer = consumer.no
  ) AS after_cursor,
  consumer.attributes AS attributes
FROM consumer;
)sql",
                     iso("event.recorded"), iso("event.time"), iso("event.expires"),
                     iso("consumer.created"), iso("consumer.seen"));
}

std::string mesh_views() {
  return fmt::format(R"sql(
CREATE VIEW logs AS SELECT
  log.no AS no,
  log.origin AS origin,
  log.epoch AS epoch,
  log.stream AS stream,
  log.durability AS durability,
  log.first AS first,
  log.head AS head,
  nullif(log.whole_from, 0) AS whole_from,
  log.events AS events,
  log.bytes AS bytes,
  {} AS recorded,
  (SELECT json_group_object(filter, "from") FROM copy_filter
     WHERE copy_filter.log = log.no) AS filters,
  (SELECT json_object('from', "from", 'to', "to", 'upto', upto) FROM backfill
     WHERE backfill.log = log.no) AS backfill
FROM log;

CREATE VIEW holds AS SELECT
  hold.peer AS peer,
  hold.stream AS stream,
  {} AS contact,
  (SELECT json_group_object(log.origin || '.' || log.epoch || '.' || log.stream, acked)
     FROM hold_log JOIN log ON log.no = hold_log.log
     WHERE hold_log.peer = hold.peer AND hold_log.stream = hold.stream) AS acked,
  (SELECT coalesce(sum(max(log.head - max(acked, log.first - 1), 0)), 0)
     FROM hold_log JOIN log ON log.no = hold_log.log
     WHERE hold_log.peer = hold.peer AND hold_log.stream = hold.stream) AS after_acked
FROM hold;
)sql",
                     iso("log.recorded"), iso("hold.contact"));
}

struct Setting {
  const char* name;
  const char* value;  // as written
  const char* reads;  // as read back
};

// In this order: the page size counts only before the file has pages.
constexpr std::array<Setting, 13> kSettings = {{
    {"page_size", "8192", "8192"},
    {"auto_vacuum", "NONE", "0"},
    {"journal_mode", "WAL", "wal"},
    {"wal_autocheckpoint", "0", "0"},
    {"synchronous", "FULL", "2"},
    {"locking_mode", "NORMAL", "normal"},
    {"cache_size", "-8192", "-8192"},
    {"temp_store", "MEMORY", "2"},
    {"mmap_size", "0", "0"},
    {"secure_delete", "OFF", "0"},
    {"trusted_schema", "OFF", "0"},
    {"cell_size_check", "ON", "1"},
    {"foreign_keys", "OFF", "0"},
}};

Status apply(Connection& connection, const Setting& setting) {
  const std::string write = fmt::format("PRAGMA {} = {}", setting.name, setting.value);
  if (auto status = connection.run(write.c_str()); !status) return status;
  const std::string read = fmt::format("PRAGMA {}", setting.name);
  const auto value = connection.text(read.c_str());
  if (!value && value.error().code != Errc::NotFound) return tl::unexpected(value.error());
  // mmap_size answers nothing where the VFS cannot map files, which is as good as 0.
  if (!value || *value == setting.reads) return {};
  return fail(Errc::Io, fmt::format("store: cannot open {}: {} is {}, not {} (move the file away)",
                                    connection.path(), setting.name, *value, setting.reads));
}

Status make_tables(Connection& connection) {
  const std::string sql = fmt::format(
      "BEGIN IMMEDIATE; {} {} {} PRAGMA application_id = {}; PRAGMA user_version = {}; "
      "COMMIT;",
      kTables, views(), mesh_views(), kApplicationId, kSchemaVersion);
  return connection.run(sql.c_str());
}

// True: the file is new and has no tables yet.
Result<bool> check_origin(Connection& connection) {
  const auto application = connection.number("PRAGMA application_id");
  if (!application) return tl::unexpected(application.error());
  const auto version = connection.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  const auto tables = connection.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tl::unexpected(tables.error());
  if (*application == 0 && *version == 0 && *tables == 0) return true;
  if (*application != kApplicationId) {
    return fail(Errc::Io, fmt::format("store: cannot open {}: it is a database of another program "
                                      "(move it away, or choose another data_dir)",
                                      connection.path()));
  }
  if (*version <= kSchemaVersion) return false;
  return fail(Errc::Version,
              fmt::format("store: cannot open {}: schema {} is newer than this build (reads 1 to "
                          "{}); upgrade marram",
                          connection.path(), *version, kSchemaVersion));
}

}  // namespace

Status prepare_schema(Connection& connection) {
  // Before anything is written: a file of somebody else stays as it is.
  const auto is_new = check_origin(connection);
  if (!is_new) return tl::unexpected(is_new.error());
  for (const Setting& setting : kSettings) {
    if (auto status = apply(connection, setting); !status) return status;
  }
  if (*is_new) return make_tables(connection);
  return {};
}

Status prepare_reading(Connection& connection) {
  return connection.run(
      "PRAGMA query_only = ON; PRAGMA cache_size = -2048; PRAGMA mmap_size = 0;"
      "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;");
}

}  // namespace marram::store
