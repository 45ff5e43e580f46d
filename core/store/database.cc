#include "core/store/database.h"

#include <fmt/format.h>

#include <algorithm>
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

}  // namespace

Database::Database(Connection connection, const StoreOptions& options, const DiskSpace& disk)
    : connection_(std::move(connection)),
      options_(options),
      logs_(options.streams),
      holds_(consumers_, options.streams, options.hold_idle_max),
      retention_({options.streams, logs_, events_, gaps_, holds_}),
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
  if (auto status = room_.prepare(connection_); !status) return status;
  auto prepared =
      Preparer(connection_).add(begin_, "BEGIN IMMEDIATE").add(commit_, "COMMIT").done();
  if (!prepared) return prepared;
  recorded_ = logs_.recorded();
  for (const auto& [no, consumer] : consumers_.all()) {
    for (const FilterRecord& filter : consumer.record.filters) {
      recorded_ = std::max(recorded_, filter.after);
    }
  }
  return forget_empty_logs(now);
}

// Closed logs of which nothing is left, not even a gap that somebody is to be told.
Status Database::forget_empty_logs(WallTime now) {
  if (auto status = begin_.run(); !status) return status;
  std::vector<std::uint32_t> empty;
  for (const auto& [no, log] : logs_.all()) {
    if (auto status = gaps_.forget(no, holds_.history(log, now)); !status) return status;
    if (log.record.first <= log.record.head) continue;
    const auto gap = gaps_.has(no);
    if (!gap) return tl::unexpected(gap.error());
    if (!*gap) empty.push_back(no);
  }
  for (const std::uint32_t no : empty) {
    if (auto status = forget_log(no); !status) return status;
  }
  return commit_.run();
}

Status Database::forget_log(std::uint32_t no) {
  if (auto status = consumers_.forget_log(no); !status) return status;
  return logs_.forget(no);
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
  if (auto status = logs_.save_changed(); !status) return status;
  return commit_.run();
}

void Database::set_time(WallTime now) { recorded_ = std::max(now, recorded_ + Duration(1)); }

Status Database::make_room(std::uint64_t bytes) {
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

Error Database::full_error(std::size_t stream) {
  const DiskSpace& disk = room_.disk();
  if (disk.low()) {
    return {Errc::Full,
            fmt::format("store: full: the disk has {} free, and store.reserve_free "
                        "keeps {} (free some disk space)",
                        bytes_text(disk.free_bytes()), bytes_text(disk.reserve_bytes()))};
  }
  std::string holder;
  for (const auto& [no, log] : logs_.all()) {
    if (holder.empty()) holder = holds_.slowest(log, recorded_);
  }
  return {Errc::Full,
          fmt::format("store: full for stream \"{}\": {} of {} are used{} (raise "
                      "store.max_bytes, or give the stream on_full = \"drop-oldest\")",
                      options_.streams.streams()[stream].name, bytes_text(room_.used_bytes()),
                      bytes_text(room_.max_bytes()),
                      holder.empty() ? "" : fmt::format(", and \"{}\" has not had them", holder))};
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
  if (log.record.durability == Durability::Memory) {
    log.record.first = log.record.head + 1;
    return {};
  }
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
  const auto more = retention_.slice(now);
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
