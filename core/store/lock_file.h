// marram.lock: one process owns a data directory.
#pragma once

#include <chrono>
#include <filesystem>

#include "core/base/result.h"

namespace marram::store {

// Holds the lock until it is destroyed, or the process ends.  Forked children
// that live on without exec() hold it with their parent.
class LockFile {
 public:
  // What a process may take to end after it was killed: it holds the lock until its last
  // thread has come back from its disk.
  static constexpr auto kPatience = std::chrono::seconds(5);

  // Waits up to `patience` for another process to let go; an owner in this process is not
  // waited for.
  //
  // Errors: Busy  the message has the owner's process id;  Io
  static Result<LockFile> take(const std::filesystem::path& path,
                               std::chrono::milliseconds patience = kPatience);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace marram::store
