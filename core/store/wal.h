// The write-ahead log: how long it gets, and when it is brought home.
//
// Its first blocks are there from the start, filled with zeros: on a disk that others have filled
// up, cursors can be written still.  Checkpoints are PASSIVE and made by the writer only, when it
// has nothing better to do or the log has grown long.
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

  // Checkpoints all, and fills the file's beginning where it is not there yet.  It gets `most`
  // bytes long by itself, longer while a reader is in the way.  Not an error: a reader of another
  // process is in the way.
  Status fill(std::uint64_t most);

  // After each commit.
  bool is_long() const;
  bool has_pages() const { return pages_ > done_; }
  // Writes what it can into the database.  Errors: Io, Corrupt; Full: the log keeps it
  Status checkpoint();
  // Waits for readers, and makes the next commit begin the file anew.
  Status restart();

  std::uint64_t file_bytes() const;
  // Of them what is not in the database yet.
  std::uint64_t used_bytes() const;

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
