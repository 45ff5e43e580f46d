#include "core/store/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace marram::store {

namespace {

Error cannot(std::string_view doing, const std::filesystem::path& path, int code) {
  return {Errc::Io, fmt::format("store: cannot {} {}: {} (check the owner and mode, and that the "
                                "file system is writable)",
                                doing, path.string(), std::strerror(code))};
}

}  // namespace

Status make_directory(const std::filesystem::path& path) {
  std::error_code error;
  const auto parent = std::filesystem::absolute(path).parent_path();
  std::filesystem::create_directories(parent, error);
  if (error) return tl::unexpected(cannot("make", parent, error.value()));
  if (::mkdir(path.c_str(), 0700) == 0) {
    sync_directory(parent);
    return {};
  }
  if (errno != EEXIST) return tl::unexpected(cannot("make", path, errno));
  if (std::filesystem::is_directory(path, error)) return {};
  return tl::unexpected(cannot("make", path, ENOTDIR));
}

Status make_private_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return tl::unexpected(cannot("open", path, errno));
  const int code = ::fchmod(fd, 0600) == 0 ? 0 : errno;
  ::close(fd);
  if (code != 0) return tl::unexpected(cannot("make private", path, code));
  sync_directory(path.parent_path());
  return {};
}

void sync_directory(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace marram::store
