#include "core/store/database.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/store/schema.h"

namespace marram::store {

Database::Database(Connection connection, const StoreOptions& options)
    : connection_(std::move(connection)), options_(options), logs_(options.streams) {}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path,
                                                 const StoreOptions& options) {
  auto connection = Connection::open(path, Access::ReadWrite, options.vfs);
  if (!connection) return tl::unexpected(connection.error());
  std::unique_ptr<Database> database(new Database(std::move(*connection), options));
  if (auto status = database->load(); !status) return tl::unexpected(status.error());
  return database;
}

Status Database::load() {
  if (auto status = prepare_schema(connection_); !status) return status;
  wal_ = std::make_unique<Wal>(connection_);
  if (auto status = logs_.load(connection_); !status) return status;
  if (auto status = events_.prepare(connection_); !status) return status;
  if (auto status = consumers_.load(connection_); !status) return status;
  auto prepared = Preparer(connection_)
                      .add(begin_, "BEGIN IMMEDIATE")
                      .add(commit_, "COMMIT")
                      .done();
  if (!prepared) return prepared;
  recorded_ = logs_.recorded();
  for (const auto& [no, consumer] : consumers_.all()) {
    for (const FilterRecord& filter : consumer.filters) {
      recorded_ = std::max(recorded_, filter.after);
    }
  }
  return {};
}

Status Database::begin(CommitKind kind) {
  if (kind != kind_) {
    const char* const sql = kind == CommitKind::Sync ? "PRAGMA synchronous = FULL"
                                                     : "PRAGMA synchronous = NORMAL";
    if (auto status = connection_.run(sql); !status) return status;
    kind_ = kind;
  }
  return begin_.run();
}

void Database::set_time(WallTime now) { recorded_ = std::max(now, recorded_ + Duration(1)); }

Status Database::append(EventView& event, std::size_t stream) {
  const auto current = logs_.current(stream);
  if (!current) return tl::unexpected(current.error());
  LogState& log = **current;
  event.recorded = recorded_;
  event.position = Position(log.record.no, log.record.head + 1);
  ++log.record.head;
  log.recorded = recorded_;
  logs_.touch(log);
  if (log.durability == Durability::Memory) {
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

Status Database::commit() {
  if (auto status = logs_.save_changed(); !status) return status;
  return commit_.run();
}

Status Database::check() {
  const auto answer = connection_.text("PRAGMA quick_check(1)");
  if (!answer) return tl::unexpected(answer.error());
  if (*answer == "ok") return {};
  return fail(Errc::Corrupt, fmt::format("store: {} is damaged: {} (it is repaired at the next "
                                         "start)", connection_.path(), *answer));
}

}  // namespace marram::store
