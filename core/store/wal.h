// The write-ahead log: how long it gets, and when it is brought home.
//
// A commit into a file that grows takes twice as long as into blocks that exist,
// so the file is filled with zeros once.  Checkpoints are PASSIVE and made by the
// writer only, when it has nothing better to do or the log has grown long.
#pragma once

#include <cstdint>

#include "core/store/sqlite.h"

namespace marram::store {

class Wal {
 public:
  // `connection` is open in WAL mode and outlives this.
  explicit Wal(Connection& connection);
  ~Wal();
  Wal(const Wal&) = delete;
  Wal& operator=(const Wal&) = delete;

  // Checkpoints all, and makes the file `bytes` long where it is shorter.  Not an
  // error: a reader of another process is in the way, or the disk is too full.
  Status fill(std::uint64_t bytes);

  // After each commit.
  bool is_long() const;
  bool has_pages() const { return pages_ > done_; }
  // Writes what it can into the database.  Errors: Io, Full, Corrupt
  Status checkpoint();
  // Waits for readers, and makes the next commit begin the file anew.
  Status restart();

  std::uint64_t file_bytes() const;

 private:
  static int on_commit(void* self, sqlite3* handle, const char* database, int pages);
  Status checkpoint(int mode);

  Connection& connection_;
  int pages_ = 0;  // in the log
  int done_ = 0;   // of them in the database too
  int long_ = 0;   // so many are long
  int next_ = 0;   // try again when the log has this many
};

}  // namespace marram::store
