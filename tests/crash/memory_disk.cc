#include "tests/crash/memory_disk.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace marram::test {

namespace {

constexpr std::size_t kSector = 512;

sqlite3_vfs* system_vfs() { return sqlite3_vfs_find(nullptr); }

}  // namespace

struct MemoryDisk::File {
  sqlite3_file base;
  MemoryDisk* disk;
  Content* content;
  bool shares;  // has the index mapped
};

void MemoryDisk::apply(std::vector<char>& bytes, const Write& write) {
  if (write.truncate) {
    bytes.resize(*write.truncate);
    return;
  }
  bytes.resize(std::max(bytes.size(), write.offset + write.bytes.size()));
  std::copy(write.bytes.begin(), write.bytes.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(write.offset));
}

bool MemoryDisk::operate() {
  if (!left_) return true;
  if (*left_ == 0) return false;
  return --*left_ != 0;
}

void MemoryDisk::forget(Content& content) {
  // All, nothing, or each write, and each of its sectors, by chance.
  const auto fate = random_() % 4;
  const auto survives = [&] { return fate == 1 || (fate > 1 && random_() % 2 == 0); };
  for (const Write& write : content.unsynced) {
    if (write.truncate) {
      if (survives()) apply(content.durable, write);
      continue;
    }
    std::size_t at = 0;
    while (at < write.bytes.size()) {
      const std::size_t end = ((write.offset + at) / kSector + 1) * kSector - write.offset;
      const std::size_t length = std::min(end, write.bytes.size()) - at;
      const auto* const begin = write.bytes.data() + at;
      if (survives()) apply(content.durable, {write.offset + at, {begin, begin + length}, {}});
      at += length;
    }
  }
  content.unsynced.clear();
  content.now = content.durable;
  content.shared.clear();
  content.sharers = 0;
}

void MemoryDisk::restore_power() {
  for (auto& [name, content] : contents_) forget(content);
  left_.reset();
}

MemoryDisk::Image MemoryDisk::image() const {
  Image image;
  for (const auto& [name, content] : contents_) image[name] = content.now;
  return image;
}

void MemoryDisk::put(const Image& image) {
  contents_.clear();
  for (const auto& [name, bytes] : image) {
    contents_[name].now = bytes;
    contents_[name].durable = bytes;
  }
}

// What SQLite calls.
struct MemoryDisk::Methods {
  static File& file(sqlite3_file* base) { return *reinterpret_cast<File*>(base); }
  static MemoryDisk& disk(sqlite3_vfs* vfs) { return *static_cast<MemoryDisk*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* base, int flags, int* out) {
    auto* const opened = new (base) File{};
    opened->disk = &disk(vfs);
    opened->content = &disk(vfs).contents_[name == nullptr ? "temporary" : name];
    opened->base.pMethods = io();
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    disk(vfs).contents_.erase(name);
    return SQLITE_OK;
  }

  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    const auto found = disk(vfs).contents_.find(name);
    *out = found != disk(vfs).contents_.end() && !found->second.now.empty() ? 1 : 0;
    return SQLITE_OK;
  }

  static int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk(vfs).random_());
    return size;
  }

  static int pause(sqlite3_vfs*, int micros) { return micros; }
  static int time(sqlite3_vfs*, double* out) {
    return system_vfs()->xCurrentTime(system_vfs(), out);
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }

  static int close(sqlite3_file*) { return SQLITE_OK; }

  static int read(sqlite3_file* base, void* out, int amount, sqlite3_int64 offset) {
    const auto& bytes = file(base).content->now;
    const auto at = static_cast<std::size_t>(offset);
    const auto wanted = static_cast<std::size_t>(amount);
    const std::size_t got = at >= bytes.size() ? 0 : std::min(wanted, bytes.size() - at);
    if (got > 0) std::memcpy(out, bytes.data() + at, got);
    if (got == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(out) + got, 0, wanted - got);
    return SQLITE_IOERR_SHORT_READ;
  }

  static int change(sqlite3_file* base, Write write) {
    Content& content = *file(base).content;
    if (file(base).disk->is_cut()) return SQLITE_IOERR_WRITE;
    const bool done = file(base).disk->operate();
    apply(content.now, write);
    content.unsynced.push_back(std::move(write));
    return done ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }

  static int write(sqlite3_file* base, const void* data, int amount, sqlite3_int64 offset) {
    const auto* const begin = static_cast<const char*>(data);
    const auto end = static_cast<std::size_t>(offset + amount);
    if (file(base).disk->full_ && end > file(base).content->now.size()) return SQLITE_FULL;
    return change(base, {static_cast<std::size_t>(offset), {begin, begin + amount}, {}});
  }

  static int truncate(sqlite3_file* base, sqlite3_int64 size) {
    return change(base, {0, {}, static_cast<std::size_t>(size)});
  }

  static int sync(sqlite3_file* base, int) {
    if (!file(base).disk->operate()) return SQLITE_IOERR_FSYNC;
    if (file(base).disk->failing_syncs_ > 0) {
      --file(base).disk->failing_syncs_;
      return SQLITE_IOERR_FSYNC;
    }
    Content& content = *file(base).content;
    for (const Write& write : content.unsynced) apply(content.durable, write);
    content.unsynced.clear();
    return SQLITE_OK;
  }

  static int size(sqlite3_file* base, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(file(base).content->now.size());
    return SQLITE_OK;
  }

  // Connections take turns, a transaction each.
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int is_reserved(sqlite3_file*, int* out) {
    *out = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  static int traits(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int share(sqlite3_file* base, int region, int size, int extend, void volatile** out) {
    auto& shared = file(base).content->shared;
    if (!std::exchange(file(base).shares, true)) ++file(base).content->sharers;
    const auto wanted = static_cast<std::size_t>(region);
    while (shared.size() <= wanted && extend != 0) {
      shared.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    }
    *out = wanted < shared.size() ? shared[wanted].get() : nullptr;
    return SQLITE_OK;
  }
  static int share_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
  static void share_barrier(sqlite3_file*) {}
  static int unshare(sqlite3_file* base, int) {
    if (!std::exchange(file(base).shares, false)) return SQLITE_OK;
    Content& content = *file(base).content;
    if (--content.sharers == 0) content.shared.clear();
    return SQLITE_OK;
  }

  static const sqlite3_io_methods* io() {
    static const sqlite3_io_methods methods = {
        2,          close,         read,        write,   truncate,    sync,   size,
        lock,       lock,          is_reserved, control, sector_size, traits, share,
        share_lock, share_barrier, unshare,     nullptr, nullptr};
    return &methods;
  }
};

MemoryDisk::MemoryDisk(std::string name, std::uint64_t seed)
    : name_(std::move(name)), random_(seed) {
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(File);
  vfs_.mxPathname = 1024;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Methods::open;
  vfs_.xDelete = Methods::remove;
  vfs_.xAccess = Methods::access;
  vfs_.xFullPathname = Methods::full_name;
  vfs_.xRandomness = Methods::randomness;
  vfs_.xSleep = Methods::pause;
  vfs_.xCurrentTime = Methods::time;
  vfs_.xGetLastError = Methods::last_error;
  sqlite3_vfs_register(&vfs_, 0);
}

MemoryDisk::~MemoryDisk() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace marram::test
