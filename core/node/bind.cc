#include "core/node/bind.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/wire/address.h"

namespace marram {

namespace {

std::string cause(int error) { return std::generic_category().message(error); }

// Whether a process accepts connections at the socket file.
bool answers(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int done = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool alive = done == 0 || errno == EAGAIN;
  ::close(probe);
  return alive;
}

// ZeroMQ removes whatever is at the path; only a dead socket may go.
Status check_replaceable(const std::string& place, const std::string& path) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode)) {
    return fail(Errc::Invalid, fmt::format("{}: cannot bind {}: a file that is no socket is "
                                           "there (remove it, or choose another path)",
                                           place, path));
  }
  if (!answers(path)) return {};
  return fail(Errc::Busy, fmt::format("{}: cannot bind {}: another process answers there "
                                      "(stop it, or choose another path)",
                                      place, path));
}

}  // namespace

Result<std::string> bind_socket(zmq::socket_t& socket, const std::string& place,
                                const std::string& endpoint) {
  const auto address = wire::parse_address(place, endpoint);
  if (!address) return tl::unexpected(address.error());
  std::string name = endpoint;
  if (address->is_ipc()) {
    if (auto status = check_replaceable(place, address->path); !status) {
      return tl::unexpected(status.error());
    }
  } else if (address->host == "localhost") {
    name = fmt::format("tcp://127.0.0.1:{}", address->port);
  }
  try {
    if (address->host.find(':') != std::string::npos) socket.set(zmq::sockopt::ipv6, true);
    socket.bind(name);
  } catch (const zmq::error_t& error) {
    const Errc code = error.num() == EADDRINUSE ? Errc::Busy : Errc::Io;
    const char* const hint =
        error.num() == EADDRINUSE
            ? " (another program listens there: stop it, or choose another port)"
        : error.num() == EADDRNOTAVAIL ? " (no interface of this machine has that address)"
                                       : "";
    return fail(code, fmt::format("{}: cannot bind {}: {}{}", place, endpoint, error.what(), hint));
  }
  if (!address->is_ipc()) return socket.get(zmq::sockopt::last_endpoint);
  if (::chmod(address->path.c_str(), 0600) == 0) return endpoint;
  return fail(Errc::Io,
              fmt::format("{}: cannot make {} private: {}", place, address->path, cause(errno)));
}

}  // namespace marram
