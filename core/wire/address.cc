#include "core/wire/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <charconv>

namespace marram::wire {

namespace {

constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";
constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;

Result<Address> parse_ipc(std::string_view place, std::string_view text) {
  const std::string_view path = text.substr(kIpc.size());
  if (path.empty() || path == "*" || path.front() == '@') {
    return fail(Errc::Invalid, fmt::format("{}: \"{}\" names no path of a socket (give one, as in "
                                           "ipc:///run/marram/marram.sock)",
                                           place, text));
  }
  if (path.size() > kPathMax) {
    return fail(
        Errc::Invalid,
        fmt::format("{}: the socket path \"{}\" has {} bytes, over the system's limit of {} "
                    "(choose a shorter one, as ipc:///run/marram/marram.sock)",
                    place, path, path.size(), kPathMax));
  }
  Address address;
  address.path = path;
  return address;
}

Result<Address> parse_tcp(std::string_view place, std::string_view text) {
  std::string_view host = text.substr(kTcp.size());
  const std::size_t colon = host.rfind(':');
  std::string_view port = colon == std::string_view::npos ? "" : host.substr(colon + 1);
  host = host.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    host = "";
  }
  Address address;
  address.host = host;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (!host.empty() && error == std::errc::result_out_of_range) {
    return fail(Errc::Invalid,
                fmt::format("{}: the port of \"{}\" is over {}", place, text, UINT16_MAX));
  }
  if (host.empty() || port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return fail(Errc::Invalid, fmt::format("{}: \"{}\" has no host and port (as in "
                                           "tcp://127.0.0.1:7410)",
                                           place, text));
  }
  return address;
}

}  // namespace

bool Address::is_loopback() const {
  in_addr v4{};
  const bool numeric = ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
  return host == "localhost" || host == "::1" || (numeric && ntohl(v4.s_addr) >> 24 == 127);
}

Result<Address> parse_address(std::string_view place, std::string_view text) {
  if (text.starts_with(kIpc)) return parse_ipc(place, text);
  if (text.starts_with(kTcp)) return parse_tcp(place, text);
  return fail(
      Errc::Invalid,
      fmt::format("{}: \"{}\" is no endpoint (ipc://PATH or tcp://HOST:PORT)", place, text));
}

}  // namespace marram::wire
