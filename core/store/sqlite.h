// SQLite as the store uses it: a connection and prepared statements as values,
// return codes as Result.
//
// Threads: one at a time each; the library is used without its own mutexes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace marram::store {

enum class Access { ReadWrite, ReadOnly };

class Connection {
 public:
  // Makes the file when it is not there and `access` allows it.
  //
  // Errors: Io, Corrupt, Full
  static Result<Connection> open(const std::filesystem::path& path, Access access,
                                 const std::string& vfs);

  // Runs statements that return nothing of interest.
  Status run(const char* sql);
  // The first column of the first row.  Errors: NotFound  no row
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);

  // The last error as ours; `doing` says what failed.
  Error error(std::string_view doing) const;
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
};

// A prepared statement.  Parameters count from 1, columns from 0; bound text and
// blobs must live until the next reset().
class Statement {
 public:
  Statement() = default;
  static Result<Statement> prepare(Connection& connection, std::string_view sql);

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);
  // A column of the row that `from` is at.
  Statement& bind_value(int parameter, const Statement& from, int column);

  // True: there is a row.  After false or an error the statement is reset.
  Result<bool> step();
  // For statements without rows: step and reset.
  Status run();
  void reset() { sqlite3_reset(handle_.get()); }
  // Rows that the last statement of the connection inserted, updated or deleted; to be
  // asked right after run().
  std::int64_t changes() const { return sqlite3_changes64(sqlite3_db_handle(handle_.get())); }

  std::int64_t number(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  // Borrowed until the next step() or reset(); empty for NULL.
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  int columns() const { return sqlite3_column_count(handle_.get()); }
  int type(int column) const { return sqlite3_column_type(handle_.get(), column); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// Puts the first failure of a list of preparations, or nothing, into `status`.
class Preparer {
 public:
  explicit Preparer(Connection& connection) : connection_(connection) {}
  Preparer& add(Statement& statement, std::string_view sql);
  Status done() { return std::move(status_); }

 private:
  Connection& connection_;
  Status status_;
};

}  // namespace marram::store
