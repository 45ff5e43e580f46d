#include "core/store/wal.h"

#include <algorithm>
#include <vector>

#include "core/store/schema.h"

namespace marram::store {

namespace {

constexpr int kPagesLong = 2000;
constexpr int kPagesLongLeast = 64;
constexpr std::uint64_t kFilled = 1 << 20;
constexpr std::size_t kChunk = 64 << 10;  // SQLite's unix VFS takes less than 128 KiB at once

sqlite3_file* wal_file(sqlite3* handle) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&file));
  return file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

}  // namespace

Wal::Wal(Connection& connection) : connection_(connection), long_(kPagesLong), next_(kPagesLong) {
  int keep = 1;
  sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
  sqlite3_wal_hook(connection.handle(), &Wal::on_commit, this);
}

Wal::~Wal() { sqlite3_wal_hook(connection_.handle(), nullptr, nullptr); }

int Wal::on_commit(void* self, sqlite3*, const char*, int pages) {
  auto& wal = *static_cast<Wal*>(self);
  // Fewer than before: the file was begun anew.
  if (pages < wal.pages_) {
    wal.done_ = 0;
    wal.next_ = wal.long_;
  }
  wal.pages_ = pages;
  return SQLITE_OK;
}

bool Wal::is_long() const { return pages_ >= next_; }

Status Wal::checkpoint() { return checkpoint(SQLITE_CHECKPOINT_PASSIVE); }

Status Wal::restart() { return checkpoint(SQLITE_CHECKPOINT_RESTART); }

Status Wal::checkpoint(int mode) {
  int in_log = 0;
  int done = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection_.handle(), "main", mode, &in_log, &done);
  // Readers in the way are no failure; what they need stays until the next time.
  const int primary = code & 0xFF;
  if (code != SQLITE_OK && primary != SQLITE_BUSY && primary != SQLITE_LOCKED) {
    next_ = pages_ + kPagesLongLeast;
    return tl::unexpected(connection_.error("checkpoint"));
  }
  pages_ = std::max(in_log, 0);
  done_ = std::max(done, 0);
  next_ = (done_ < pages_ ? pages_ : 0) + long_;
  return {};
}

Status Wal::fill(std::uint64_t most) {
  // Half of the file: the other half is for what comes while a reader is in the way.
  const auto half = static_cast<int>(std::min<std::uint64_t>(most / kPageBytes / 2, kPagesLong));
  long_ = std::max(half, kPagesLongLeast);
  next_ = long_;
  // A long reader of another program has made it grow: it gets its size back.
  const std::uint64_t bytes = std::min(most, kFilled);
  const std::uint64_t there = file_bytes();
  if (there >= bytes && there <= 4 * most) return checkpoint();
  if (auto status = checkpoint(SQLITE_CHECKPOINT_TRUNCATE); !status) return status;
  sqlite3_file* const file = wal_file(connection_.handle());
  sqlite3_int64 size = 0;
  if (file == nullptr || pages_ > done_) return {};
  // Anything but an empty file means that a reader kept the checkpoint from its end.
  if (file->pMethods->xFileSize(file, &size) != SQLITE_OK || size != 0) return {};
  const std::vector<char> zeros(kChunk);
  for (std::uint64_t at = 0; at < bytes; at += kChunk) {
    const auto length = static_cast<int>(std::min<std::uint64_t>(kChunk, bytes - at));
    const auto offset = static_cast<sqlite3_int64>(at);
    if (file->pMethods->xWrite(file, zeros.data(), length, offset) != SQLITE_OK) {
      file->pMethods->xTruncate(file, 0);
      break;
    }
  }
  file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  return {};
}

std::uint64_t Wal::file_bytes() const {
  sqlite3_file* const file = wal_file(connection_.handle());
  sqlite3_int64 size = 0;
  if (file == nullptr || file->pMethods->xFileSize(file, &size) != SQLITE_OK) return 0;
  return static_cast<std::uint64_t>(size);
}

std::uint64_t Wal::used_bytes() const {
  constexpr std::uint64_t kFrameHeader = 24;
  return has_pages() ? static_cast<std::uint64_t>(pages_) * (kPageBytes + kFrameHeader) : 0;
}

}  // namespace marram::store
