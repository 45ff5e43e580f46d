#include "core/store/sqlite.h"

#include <fmt/format.h>

#include <cerrno>

namespace marram::store {

namespace {

// Statistics of memory cost a lock per allocation, for numbers that nobody asks
// for.  Where the process has used SQLite before us this changes nothing.
void prepare_library() {
  static const bool done = [] {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    return sqlite3_initialize() == SQLITE_OK;
  }();
  static_cast<void>(done);
}

Errc errc(int code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return Errc::Full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::Corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::Busy;
    case SQLITE_TOOBIG:
      return Errc::TooLarge;
    default:
      return Errc::Io;
  }
}

// SQLite calls a disk full by ENOSPC on a write alone.  A sync that fails leaves more in doubt.
bool is_full(int code, int os_error) {
  const bool writes = code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE;
  return writes && (os_error == ENOSPC || os_error == EDQUOT);
}

Error make_error(int code, sqlite3* handle, std::string_view doing, std::string_view path) {
  const int os_error = handle == nullptr ? 0 : sqlite3_system_errno(handle);
  const Errc kind = is_full(code, os_error) ? Errc::Full : errc(code);
  std::string_view hint = "; see the disk and its file system";
  if (kind == Errc::Full) hint = "; free some disk space";
  if (kind == Errc::Corrupt) hint = "; it is repaired at the next start";
  return {kind, fmt::format("store: cannot {} {}: {} (sqlite code {}, errno {}{})", doing, path,
                            handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle), code,
                            os_error, hint)};
}

}  // namespace

Result<Connection> Connection::open(const std::filesystem::path& path, Access access,
                                    const std::string& vfs) {
  prepare_library();
  const int mode = access == Access::ReadOnly ? SQLITE_OPEN_READONLY
                                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  Connection connection;
  connection.path_ = path.string();
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                      vfs.empty() ? nullptr : vfs.c_str());
  connection.handle_.reset(handle);
  if (code != SQLITE_OK) {
    return tl::unexpected(make_error(code, handle, "open", connection.path_));
  }
  sqlite3_busy_timeout(handle, 5000);
  // Closing must not depend on the disk: checkpoints are made by the writer only.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return connection;
}

Error Connection::error(std::string_view doing) const {
  return make_error(sqlite3_extended_errcode(handle_.get()), handle_.get(), doing, path_);
}

Status Connection::run(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected(error("write"));
}

Result<std::int64_t> Connection::number(const char* sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return fail(Errc::NotFound, fmt::format("store: no row for {}", sql));
  return statement->number(0);
}

Result<std::string> Connection::text(const char* sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return fail(Errc::NotFound, fmt::format("store: no row for {}", sql));
  return std::string(statement->text(0));
}

Result<Statement> Statement::prepare(Connection& connection, std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(connection.error("read the schema of"));
  Statement statement;
  statement.handle_.reset(handle);
  return statement;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), parameter, value);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  sqlite3_bind_text(handle_.get(), parameter, text.empty() ? "" : text.data(),
                    static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  sqlite3_bind_blob(handle_.get(), parameter, bytes.empty() ? "" : bytes.data(),
                    static_cast<int>(bytes.size()), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  sqlite3_bind_null(handle_.get(), parameter);
  return *this;
}

Statement& Statement::bind_value(int parameter, const Statement& from, int column) {
  sqlite3_bind_value(handle_.get(), parameter, sqlite3_column_value(from.handle_.get(), column));
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    return false;
  }
  sqlite3* const db = sqlite3_db_handle(handle_.get());
  const char* const path = sqlite3_db_filename(db, "main");
  Error error = make_error(code, db, sqlite3_stmt_readonly(handle_.get()) != 0 ? "read" : "write",
                           path == nullptr ? "" : path);
  sqlite3_reset(handle_.get());
  return tl::unexpected(std::move(error));
}

Status Statement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
  }
}

std::string_view Statement::text(int column) const {
  const auto* text = sqlite3_column_text(handle_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::string_view Statement::blob(int column) const {
  const auto* bytes = sqlite3_column_blob(handle_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Preparer& Preparer::add(Statement& statement, std::string_view sql) {
  if (!status_) return *this;
  auto made = Statement::prepare(connection_, sql);
  if (made) {
    statement = std::move(*made);
  } else {
    status_ = tl::unexpected(std::move(made.error()));
  }
  return *this;
}

}  // namespace marram::store
