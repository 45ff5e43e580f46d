#include "core/store/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "core/base/quantity.h"
#include "core/store/schema.h"

namespace marram::store {

namespace {

// So much is kept free where history can make place, so that a commit need not
// wait for deletes.
constexpr std::uint64_t kSlackMax = 4 << 20;
constexpr std::uint64_t kTrimLeast = 256 << 10;

constexpr std::string_view kMapNumber = "map_number";
constexpr std::string_view kRuns = "runs";
constexpr std::string_view kNode = "node:";  // and its id

}  // namespace

Database::Database(Connection connection, const StoreOptions& options, const DiskSpace& disk)
    : connection_(std::move(connection)),
      options_(options),
      logs_(options.streams, options.node_id, options.epoch_random),
      peers_(logs_),
      holds_(consumers_, peers_, options.streams, options.hold_idle_max),
      retention_({options.streams, logs_, events_, gaps_, copies_, holds_}),
      copy_writer_({options.streams, logs_, events_, gaps_, copies_}),
      room_(options.max_bytes, disk) {}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path,
                                                 const StoreOptions& options, const DiskSpace& disk,
                                                 WallTime now) {
  auto connection = Connection::open(path, Access::ReadWrite, options.vfs);
  if (!connection) return tl::unexpected(connection.error());
  std::unique_ptr<Database> database(new Database(std::move(*connection), options, disk));
  if (auto status = database->load(now); !status) return tl::unexpected(status.error());
  return database;
}

Status Database::load(WallTime now) {
  if (auto status = prepare_schema(connection_); !status) return status;
  wal_ = std::make_unique<Wal>(connection_);
  if (auto status = logs_.load(connection_); !status) return status;
  if (auto status = events_.prepare(connection_); !status) return status;
  if (auto status = consumers_.load(connection_); !status) return status;
  if (auto status = gaps_.load(connection_); !status) return status;
  if (auto status = copies_.load(connection_, logs_); !status) return status;
  if (auto status = peers_.load(connection_); !status) return status;
  if (auto status = room_.prepare(connection_); !status) return status;
  auto prepared = Preparer(connection_)
                      .add(begin_, "BEGIN IMMEDIATE")
                      .add(commit_, "COMMIT")
                      .add(save_fact_,
                           "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE "
                           "SET value = excluded.value")
                      .add(remove_fact_, "DELETE FROM meta WHERE name = ?1")
                      .done();
  if (!prepared) return prepared;
  if (auto status = load_facts(); !status) return status;
  recorded_ = logs_.recorded();
  for (const auto& [no, consumer] : consumers_.all()) {
    for (const FilterRecord& filter : consumer.record.filters) {
      recorded_ = std::max(recorded_, filter.after);
    }
  }
  return forget_finished_logs(now);
}

Status Database::load_facts() {
  for (const auto& [name, fact] :
       {std::pair{kMapNumber, &facts_.map_number}, std::pair{kRuns, &facts_.runs}}) {
    const std::string sql = fmt::format("SELECT value FROM meta WHERE name = '{}'", name);
    const auto found = connection_.number(sql.c_str());
    if (found) *fact = static_cast<std::uint64_t>(*found);
    if (!found && found.error().code != Errc::NotFound) return tl::unexpected(found.error());
  }
  logs_.raise_runs(facts_.runs);
  const std::string nodes = fmt::format(
      "SELECT substr(name, {}), value FROM meta WHERE name LIKE '{}%'", kNode.size() + 1, kNode);
  auto rows = Statement::prepare(connection_, nodes);
  if (!rows) return tl::unexpected(rows.error());
  while (true) {
    const auto more = rows->step();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return {};
    facts_.nodes[std::string(rows->text(0))] = rows->number(1);
  }
}

Status Database::save(const MeshFacts& facts) {
  logs_.raise_runs(facts.runs);
  std::map<std::string, std::int64_t> rows{
      {std::string(kMapNumber), static_cast<std::int64_t>(facts.map_number)},
      {std::string(kRuns), static_cast<std::int64_t>(facts.runs)}};
  for (const auto& [id, day] : facts.nodes) {
    const auto known = facts_.nodes.find(id);
    const bool same = known != facts_.nodes.end() && known->second == day;
    if (!same) rows.emplace(std::string(kNode) + id, day);
  }
  for (const auto& [name, value] : rows) {
    if (auto status = save_fact_.bind(1, name).bind(2, value).run(); !status) return status;
  }
  for (const auto& [id, day] : facts_.nodes) {
    if (facts.nodes.contains(id)) continue;
    if (auto status = remove_fact_.bind(1, std::string(kNode) + id).run(); !status) return status;
  }
  facts_ = facts;
  return {};
}

Status Database::forget_finished_logs(WallTime now) {
  if (auto status = begin_.run(); !status) return status;
  std::vector<std::uint32_t> gone;
  for (const auto& [no, log] : logs_.all()) {
    const auto is_finished = finished(log, now);
    if (!is_finished) return tl::unexpected(is_finished.error());
    if (*is_finished) gone.push_back(no);
  }
  for (const std::uint32_t no : gone) {
    if (auto status = forget_log(no); !status) return status;
  }
  return commit_.run();
}

// Of a log in memory nothing can be left.  Else one without an event, and without a gap that
// somebody is to be told, unless the mesh has been here: whether others still need to know
// of it is for it to say.
Result<bool> Database::finished(const LogState& log, WallTime now) {
  if (log.in_memory()) return true;
  if (facts_.map_number > 0 || !peers_.empty() || log.record.id.origin != logs_.node_id()) {
    return false;
  }
  const std::uint32_t no = log.record.no;
  const std::uint64_t told = std::min(holds_.history(log, now), log.record.first - 1);
  if (auto status = gaps_.forget(no, told); !status) return tl::unexpected(status.error());
  if (log.record.first <= log.record.head) return false;
  const auto gap = gaps_.has(no);
  if (!gap) return tl::unexpected(gap.error());
  return !*gap;
}

Status Database::forget_log(std::uint32_t no) {
  auto status = consumers_.forget_log(no);
  if (status) status = peers_.forget_log(no);
  if (status) status = copies_.forget(no);
  if (status) status = gaps_.forget(no, std::numeric_limits<std::uint64_t>::max());
  return status ? logs_.forget(no) : status;
}

Status Database::begin(CommitKind kind) {
  if (kind != kind_) {
    const char* const sql =
        kind == CommitKind::Sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
    if (auto status = connection_.run(sql); !status) return status;
    kind_ = kind;
  }
  return begin_.run();
}

Status Database::commit() {
  for (const std::uint32_t no : logs_.take_made()) {
    const LogState* const log = logs_.find(no);
    if (log == nullptr) continue;
    if (auto status = peers_.hold_new(log->record); !status) return status;
  }
  if (auto status = logs_.save_changed(); !status) return status;
  return commit_.run();
}

void Database::set_time(WallTime now) { recorded_ = std::max(now, recorded_ + Duration(1)); }

Status Database::make_room(std::uint64_t bytes) {
  const std::uint64_t wal = wal_->used_bytes() + bytes;
  room_.set_wal_growth(wal - std::min(wal, room_.disk().wal_bytes_max()));
  if (auto status = room_.measure(); !status) return status;
  const std::uint64_t wanted = bytes + std::min(kSlackMax, room_.max_bytes() / 16);
  // A little more than is written, so that a full store is ahead of its publishers;
  // not all at once, so that nobody waits for it.
  std::uint64_t most = 2 * bytes + kTrimLeast;
  bool asked_again = false;
  while (room_.left() < wanted && (most > 0 || room_.left() < bytes)) {
    const auto freed =
        retention_.free_history(std::min(wanted - room_.left(), kTrimLeast), recorded_);
    if (!freed) return tl::unexpected(freed.error());
    // What is remembered of the cursors may be old.
    if (*freed == 0 && std::exchange(asked_again, true)) break;
    if (*freed == 0) holds_.forget();
    most -= std::min(most, *freed);
    if (auto status = room_.measure(); !status) return status;
  }
  left_ = room_.left();
  return {};
}

Result<bool> Database::admit(std::uint64_t bytes, std::size_t stream) {
  while (left_ < bytes) {
    if (options_.streams.streams()[stream].on_full != OnFull::DropOldest) return false;
    const auto freed = retention_.drop_oldest(stream, 2 * bytes + kTrimLeast, recorded_);
    if (!freed) return tl::unexpected(freed.error());
    if (*freed == 0) return false;
    if (auto status = room_.measure(); !status) return tl::unexpected(status.error());
    left_ = room_.left();
  }
  left_ -= bytes;
  return true;
}

Result<bool> Database::admit(const CopyWrite& write) {
  const std::uint64_t bytes = copy_writer_.bytes(write);
  if (bytes == 0) return true;
  if (bytes > room_.max_bytes()) return false;  // it must not cost others what is there
  return admit(bytes, logs_.stream_index(write.log.stream));
}

Error Database::full_error(std::size_t stream) {
  std::string holder;
  for (const auto& [no, log] : logs_.all()) {
    if (holder.empty()) holder = holds_.slowest(log, recorded_);
  }
  if (!holder.empty()) holder = fmt::format(", and \"{}\" has not had them", holder);
  if (room_.disk_is_less()) {
    const DiskSpace& disk = room_.disk();
    return {Errc::Full,
            fmt::format("store: full: the disk has {} free, of which store.reserve_free and the "
                        "write-ahead log keep {}{} (free some disk space)",
                        bytes_text(disk.free_bytes()), bytes_text(disk.kept_bytes()), holder)};
  }
  return {Errc::Full,
          fmt::format("store: full for stream \"{}\": {} of {} are used{} (raise "
                      "store.max_bytes, or give the stream on_full = \"drop-oldest\")",
                      options_.streams.streams()[stream].name, bytes_text(room_.used_bytes()),
                      bytes_text(room_.max_bytes()), holder)};
}

Status Database::append(EventView& event, std::size_t stream) {
  const auto current = logs_.current(stream);
  if (!current) return tl::unexpected(current.error());
  LogState& log = **current;
  event.recorded = recorded_;
  event.position = Position(log.record.no, log.record.head + 1);
  ++log.record.head;
  log.recorded = recorded_;
  logs_.touch(log);
  if (log.in_memory()) {
    log.record.first = log.record.whole_from = log.record.head + 1;
    return {};
  }
  log.head_moved = true;
  log.head_uuid = event.uuid;
  if (!event.id.empty() || !log.head_text.empty()) log.head_text = event.id;
  ++log.record.events;
  log.total += event.bytes();
  log.record.bytes = log.total - log.trimmed;
  return events_.insert(event, log.total);
}

Status Database::move(const CursorMove& move, WallTime now) {
  if (logs_.find(move.log) == nullptr) return {};
  return consumers_.move(move, now);
}

Result<bool> Database::retain(WallTime now) {
  if (!retention_.has_rules()) return false;
  if (auto status = begin(CommitKind::NoSync); !status) return tl::unexpected(status.error());
  auto more = retention_.slice(now);
  if (!more) return more;
  if (auto status = commit(); !status) return tl::unexpected(status.error());
  return more;
}

Status Database::check() {
  const auto answer = connection_.text("PRAGMA quick_check(1)");
  if (!answer) return tl::unexpected(answer.error());
  if (*answer == "ok") return {};
  return fail(Errc::Corrupt, fmt::format("store: {} is damaged: {} (it is repaired at the next "
                                         "start)",
                                         connection_.path(), *answer));
}

}  // namespace marram::store
