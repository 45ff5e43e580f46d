#include "gateway/mqtt/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace marram::mqtt {

namespace {

tl::unexpected<Error> refuse(std::string_view text, std::string_view cause) {
  return fail(Errc::Config, fmt::format("mqtt: listen = \"{}\": {} (write mqtt://127.0.0.1:1883 or "
                                        "mqtts://0.0.0.0:8883)",
                                        text, cause));
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return port;
}

// Fills `loopback` in; false for what is no address.
bool take_address(Endpoint& endpoint) {
  in_addr v4{};
  if (inet_pton(AF_INET, endpoint.address.c_str(), &v4) == 1) {
    endpoint.loopback = (ntohl(v4.s_addr) >> 24) == 127;
    return true;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, endpoint.address.c_str(), &v6) != 1) return false;
  endpoint.loopback = IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  return true;
}

}  // namespace

std::string Endpoint::text() const {
  const bool v6 = address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "mqtts" : "mqtt", v6 ? "[" : "", address,
                     v6 ? "]" : "", port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  std::string_view rest = text;
  if (rest.starts_with("mqtts://")) {
    endpoint.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("mqtt://")) {
    rest.remove_prefix(7);
  } else {
    return refuse(text, "the scheme is neither mqtt nor mqtts");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  endpoint.port = endpoint.tls ? 8883 : 1883;

  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return refuse(text, "the bracket is not closed");
    endpoint.address = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    endpoint.address = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (!port.empty()) {
    const auto number = port.front() == ':' ? parse_port(port.substr(1)) : std::nullopt;
    if (!number) return refuse(text, "the port is no number from 0 to 65535");
    endpoint.port = *number;
  }
  if (endpoint.address == "localhost") endpoint.address = "127.0.0.1";
  if (!take_address(endpoint)) return refuse(text, "the address is no IP address");
  return endpoint;
}

}  // namespace marram::mqtt
