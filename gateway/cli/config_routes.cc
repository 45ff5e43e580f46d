#include "gateway/cli/config_routes.h"

#include <fmt/format.h>

#include <array>

#include "core/event/topic.h"
#include "gateway/cli/config_mesh.h"

namespace marram::cli {

namespace {

constexpr std::array<std::string_view, 2> kDirections = {"out", "in"};
constexpr std::array<std::string_view, 2> kProtocols = {"3.1.1", "5"};
constexpr std::array<MqttVersion, 2> kVersions = {MqttVersion::V311, MqttVersion::V5};
constexpr std::array<std::string_view, 2> kOnPoison = {"pause", "skip"};

void read_words(Section& section, RouteOptions& out) {
  std::size_t direction = static_cast<std::size_t>(out.direction);
  section.one_of("direction", kDirections, direction);
  out.direction = static_cast<RouteDirection>(direction);

  std::size_t protocol = out.protocol == MqttVersion::V5 ? 1 : 0;
  section.one_of("protocol", kProtocols, protocol);
  out.protocol = kVersions.at(protocol);

  std::size_t on_poison = static_cast<std::size_t>(out.on_poison);
  section.one_of("on_poison", kOnPoison, on_poison);
  out.on_poison = static_cast<OnPoison>(on_poison);
}

void read_tls(Section tls, RouteTls& out) {
  tls.path("ca_file", out.ca_file);
  tls.path("certificate_file", out.certificate_file);
  tls.path("key_file", out.key_file);
  tls.finish();
}

RouteConfig read_route(Section& section) {
  constexpr std::size_t kInFlightMax = 65'535;
  RouteConfig route;
  RouteOptions& out = route.options;
  route.place = section.place("");
  for (const std::string_view key : {"name", "from", "to"}) section.require(key);
  section.text("name", out.name);
  section.texts("from", out.from);
  section.text("to", out.to);
  section.text("topic", out.topic);
  section.secret("user", route.user, true);
  section.secret("password", route.password, false);
  read_tls(section.table("tls"), out.tls);
  read_words(section, out);
  section.text("client_id", out.client_id);
  section.integer("in_flight", out.in_flight, 1, kInFlightMax);
  section.seconds("keep_alive", out.keep_alive);
  section.refuse_later("dead_letter");
  section.finish();
  return route;
}

// With something in the place of its secrets, for checks that ask whether there are any.
RouteOptions as_checked(const RouteConfig& route) {
  RouteOptions options = route.options;
  if (route.user) options.user = "?";
  if (route.password) options.password = "?";
  return options;
}

// check_route() begins its messages with the key.
std::string key_of(const Error& error) { return error.message.substr(0, error.message.find(':')); }

}  // namespace

void read_routes(Section& root, ConfigReport& report, Config& config) {
  if (root.has("route") && config.node.listen.empty()) {
    root.problem("route", "reaches the node through client.listen, which is empty");
  }
  for (Section& section : root.tables("route")) {
    const std::size_t problems = report.problems.size();
    RouteConfig route = read_route(section);
    if (report.problems.size() != problems) continue;
    if (const auto status = check_route(as_checked(route), config.node.limits); !status) {
      section.rejected(key_of(status.error()), status.error());
      continue;
    }
    // With those before it, so that the problem is said of the right one.
    std::vector<RouteOptions> all;
    all.reserve(config.routes.size() + 1);
    for (const RouteConfig& other : config.routes) all.push_back(as_checked(other));
    all.push_back(as_checked(route));
    if (const auto status = check_routes(all); status) {
      config.routes.push_back(std::move(route));
    } else {
      section.rejected("name", status.error());
    }
  }
}

std::vector<std::string> deep_problems(const Config& config, bool secrets) {
  std::vector<std::string> problems = mesh_problems(config.node.mesh);
  if (!config.mqtt.listen.empty()) {
    if (const auto status = mqtt::MqttListener::check(config.mqtt); !status) {
      problems.push_back(status.error().message);
    }
  }
  for (const RouteConfig& route : config.routes) {
    if (!secrets) break;
    if (const auto fetched = with_secrets(route); !fetched) {
      problems.push_back(fetched.error().message);
    }
  }
  return problems;
}

Result<RouteOptions> with_secrets(const RouteConfig& route) {
  RouteOptions options = route.options;
  if (route.user) {
    auto user = fetch_secret(*route.user);
    if (!user) return tl::unexpected(user.error());
    options.user = std::move(*user);
  }
  if (route.password) {
    auto password = fetch_secret(*route.password);
    if (!password) return tl::unexpected(password.error());
    options.password = std::move(*password);
  }
  return options;
}

}  // namespace marram::cli
