#include "gateway/cli/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace marram::cli {

namespace {

Result<std::string> read_all(int fd, const std::string& path, std::size_t bytes_max) {
  std::string out;
  std::string block(64 << 10, '\0');
  for (;;) {
    const ssize_t got = ::read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(Errc::Io, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    }
    if (got == 0) return out;
    out.append(block, 0, static_cast<std::size_t>(got));
    if (out.size() > bytes_max) {
      return fail(Errc::TooLarge, fmt::format("{} has more than {} bytes", path, bytes_max));
    }
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Errc::Io, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  auto text = read_all(fd, path, bytes_max);
  ::close(fd);
  return text;
}

Result<std::string> read_stdin(std::size_t bytes_max) {
  return read_all(STDIN_FILENO, "standard input", bytes_max);
}

}  // namespace marram::cli
