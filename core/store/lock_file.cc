#include "core/store/lock_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "core/base/mailbox.h"

namespace marram::store {

namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

std::string owner(int fd) {
  char text[32] = {};
  const auto got = ::pread(fd, text, sizeof text - 1, 0);
  std::string pid(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return pid.empty() ? "another process" : "process " + pid;
}

bool same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Whether this process has the file open elsewhere too.  The process id in it does not tell:
// in a container that was started again the owner before had the same.
bool is_open_here(int fd) {
  struct stat wanted{};
  if (::fstat(fd, &wanted) != 0) return false;
  std::error_code error;
  std::filesystem::directory_iterator at("/proc/self/fd", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    struct stat found{};
    const std::string name = at->path().filename().string();
    if (name == std::to_string(fd) || ::stat(at->path().c_str(), &found) != 0) continue;
    if (same_file(found, wanted)) return true;
  }
  return false;
}

bool lock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; }

// False: as errno says.
bool lock_within(int fd, std::chrono::milliseconds patience) {
  if (lock(fd)) return true;
  if (errno != EWOULDBLOCK) return false;
  const auto until = std::chrono::steady_clock::now() + patience;
  const bool here = is_open_here(fd);
  const Signal never;
  while (!here && std::chrono::steady_clock::now() < until) {
    never.wait(kLookAgain);
    if (lock(fd)) return true;
    if (errno != EWOULDBLOCK) return false;
  }
  errno = EWOULDBLOCK;
  return false;
}

}  // namespace

Result<LockFile> LockFile::take(const std::filesystem::path& path,
                                std::chrono::milliseconds patience) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return fail(Errc::Io, fmt::format("store: cannot open {}: {} (check the owner and mode of the "
                                      "directory)",
                                      path.string(), std::strerror(errno)));
  }
  LockFile lock(fd);
  if (!lock_within(fd, patience)) {
    if (errno == EWOULDBLOCK) {
      return fail(Errc::Busy, fmt::format("store: cannot open {}: in use by {} (stop it first)",
                                          path.parent_path().string(), owner(fd)));
    }
    return fail(Errc::Io, fmt::format("store: cannot lock {}: {} (data_dir needs a local file "
                                      "system)",
                                      path.string(), std::strerror(errno)));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  // The process id is for people; on a full disk the lock counts without it.
  if (::ftruncate(fd, 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(fd, pid.data(), pid.size(), 0);
  }
  return lock;
}

LockFile::LockFile(LockFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

LockFile::~LockFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace marram::store
