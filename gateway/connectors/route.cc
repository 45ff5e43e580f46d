#include "gateway/connectors/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/event/topic.h"
#include "gateway/connectors/rewrite.h"

namespace marram {
namespace {

constexpr std::size_t kHostBytesMax = 253;

// The schemes of connectors to come.
constexpr std::array<std::string_view, 6> kLaterSchemes{"kafka", "nats", "amqp",
                                                        "amqps", "http", "https"};

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return fail(Errc::Invalid, fmt::format("to: port '{}' is not a number from 1 to 65535", text));
  }
  return port;
}

bool host_is_sane(std::string_view host) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  };
  return !host.empty() && host.size() <= kHostBytesMax &&
         std::all_of(host.begin(), host.end(), fits);
}

Status check_scheme(std::string_view scheme) {
  if (scheme == "mqtt" || scheme == "mqtts") return {};
  if (std::find(kLaterSchemes.begin(), kLaterSchemes.end(), scheme) != kLaterSchemes.end()) {
    return fail(Errc::Unsupported,
                fmt::format("to: {}:// is not in this release (use mqtt:// or mqtts://)", scheme));
  }
  return fail(Errc::Invalid,
              fmt::format("to: unknown scheme '{}' (use mqtt:// or mqtts://)", scheme));
}

Status check_filters(const RouteOptions& route, const Limits& limits) {
  if (route.from.empty()) {
    return fail(Errc::Invalid, "from: no filter given (for example [\"plant/#\"])");
  }
  if (route.from.size() > limits.filters_per_consumer_max) {
    return fail(Errc::TooLarge,
                fmt::format("from: {} filters, over limits.filters_per_consumer_max ({})",
                            route.from.size(), limits.filters_per_consumer_max));
  }
  for (const std::string& filter : route.from) {
    if (const auto ok = check_filter(filter, limits); !ok) {
      return fail(ok.error().code, "from: " + ok.error().message);
    }
    if (filter.starts_with("$share/")) {
      return fail(Errc::Unsupported,
                  fmt::format("from: '{}': shared subscriptions are not in this release", filter));
    }
  }
  return {};
}

Status check_tls(const RouteOptions& route, const RouteTarget& target) {
  const RouteTls& tls = route.tls;
  const bool any = !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.key_file.empty();
  if (any && !target.tls) {
    return fail(Errc::Invalid, "tls: has no effect with mqtt:// (use mqtts:// in `to`)");
  }
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    return fail(Errc::Invalid, "tls: certificate_file and key_file belong together (set both)");
  }
  return {};
}

Status check_session(const RouteOptions& route, const Limits& limits) {
  if (!route.client_id.empty()) {
    if (const auto ok = check_name("client_id", route.client_id, limits); !ok) return ok;
  }
  if (route.user.empty() && !route.password.empty() && route.protocol == MqttVersion::V311) {
    return fail(Errc::Invalid, "password: MQTT 3.1.1 has no password without a user (set user)");
  }
  if (route.in_flight < 1 || route.in_flight > limits.in_flight_max) {
    return fail(Errc::Invalid, fmt::format("in_flight: {} is not from 1 to {}", route.in_flight,
                                           limits.in_flight_max));
  }
  if (route.keep_alive < std::chrono::seconds(5) || route.keep_alive > std::chrono::hours(18)) {
    return fail(Errc::Invalid,
                fmt::format("keep_alive: {} s is not from 5s to 18h", route.keep_alive.count()));
  }
  if (route.qos != 1) {
    return fail(Errc::Unsupported,
                fmt::format("qos: {} is not in this release (leave it at 1)", route.qos));
  }
  return {};
}

}  // namespace

std::string RouteTarget::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "mqtts" : "mqtt", v6 ? "[" : "", host, v6 ? "]" : "",
                     port);
}

Result<RouteTarget> parse_route_target(std::string_view to) {
  const std::size_t colon = to.find("://");
  if (colon == std::string_view::npos) {
    return fail(Errc::Invalid, "to: no scheme (for example mqtts://broker.example:8883)");
  }
  if (const auto ok = check_scheme(to.substr(0, colon)); !ok) return tl::unexpected(ok.error());
  RouteTarget target;
  target.tls = to.substr(0, colon) == "mqtts";
  target.port = target.tls ? 8883 : 1883;

  std::string_view rest = to.substr(colon + 3);
  if (rest.find('@') != std::string_view::npos) {
    return fail(Errc::Invalid, "to: user and password do not belong here (use `user`, `password`)");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::string_view port;
  bool has_port = false;
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) return fail(Errc::Invalid, "to: '[' without ']'");
    target.host = rest.substr(1, bracket - 1);
    rest.remove_prefix(bracket + 1);
    has_port = rest.starts_with(':');
    if (!has_port && !rest.empty()) return fail(Errc::Invalid, "to: ':' missing before the port");
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t at = rest.find(':');
    has_port = at != std::string_view::npos;
    target.host = rest.substr(0, at);
    if (has_port) port = rest.substr(at + 1);
  }
  if (!host_is_sane(target.host)) {
    return fail(Errc::Invalid, "to: no host name or address (only scheme://host:port is meant)");
  }
  if (has_port) {
    const auto number = parse_port(port);
    if (!number) return tl::unexpected(number.error());
    target.port = *number;
  }
  return target;
}

Status check_route(const RouteOptions& route, const Limits& limits) {
  if (const auto ok = check_name("name", route.name, limits); !ok) return ok;
  if (const auto ok = check_filters(route, limits); !ok) return ok;
  const auto target = parse_route_target(route.to);
  if (!target) return tl::unexpected(target.error());
  if (const auto ok = check_template(route, limits); !ok) return ok;
  if (const auto ok = check_tls(route, *target); !ok) return ok;
  return check_session(route, limits);
}

std::string route_consumer(std::string_view route_name) {
  return "route:" + std::string(route_name);
}

}  // namespace marram
