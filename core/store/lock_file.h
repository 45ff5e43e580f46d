// marram.lock: one process owns a data directory.
#pragma once

#include <filesystem>

#include "core/base/result.h"

namespace marram::store {

// Holds the lock until it is destroyed, or the process ends.  Forked children
// that live on without exec() hold it with their parent.
class LockFile {
 public:
  // Errors: Busy  the message has the owner's process id;  Io
  static Result<LockFile> take(const std::filesystem::path& path);

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
