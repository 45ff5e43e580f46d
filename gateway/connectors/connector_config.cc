#include "gateway/connectors/connector_config.h"

#include <nlohmann/json.hpp>

namespace marram {
namespace {

using nlohmann::json;

json to_json(const RouteOptions& route) {
  return {{"name", route.name},
          {"in", route.direction == RouteDirection::In},
          {"from", route.from},
          {"to", route.to},
          {"topic", route.topic},
          {"user", route.user},
          {"password", route.password},
          {"ca_file", route.tls.ca_file},
          {"certificate_file", route.tls.certificate_file},
          {"key_file", route.tls.key_file},
          {"v5", route.protocol == MqttVersion::V5},
          {"client_id", route.client_id},
          {"in_flight", route.in_flight},
          {"keep_alive", route.keep_alive.count()},
          {"qos", route.qos},
          {"skip", route.on_poison == OnPoison::Skip}};
}

RouteOptions to_route(const json& from) {
  RouteOptions route;
  route.name = from.at("name").get<std::string>();
  route.direction = from.at("in").get<bool>() ? RouteDirection::In : RouteDirection::Out;
  route.from = from.at("from").get<std::vector<std::string>>();
  route.to = from.at("to").get<std::string>();
  route.topic = from.at("topic").get<std::string>();
  route.user = from.at("user").get<std::string>();
  route.password = from.at("password").get<std::string>();
  route.tls.ca_file = from.at("ca_file").get<std::string>();
  route.tls.certificate_file = from.at("certificate_file").get<std::string>();
  route.tls.key_file = from.at("key_file").get<std::string>();
  route.protocol = from.at("v5").get<bool>() ? MqttVersion::V5 : MqttVersion::V311;
  route.client_id = from.at("client_id").get<std::string>();
  route.in_flight = from.at("in_flight").get<std::size_t>();
  route.keep_alive = std::chrono::seconds(from.at("keep_alive").get<std::int64_t>());
  route.qos = from.at("qos").get<int>();
  route.on_poison = from.at("skip").get<bool>() ? OnPoison::Skip : OnPoison::Pause;
  return route;
}

}  // namespace

std::string config_line(const ConnectorConfig& config) {
  const json line{{"route", to_json(config.route)},
                  {"endpoint", config.endpoint},
                  {"redial_least_us", config.redial_least.count()},
                  {"redial_most_us", config.redial_most.count()},
                  {"paused_for_us", config.paused_for.count()}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ConnectorConfig> parse_config_line(std::string_view line) {
  try {
    const json from = json::parse(line);
    ConnectorConfig config;
    config.route = to_route(from.at("route"));
    config.endpoint = from.at("endpoint").get<std::string>();
    config.redial_least = Duration(from.at("redial_least_us").get<std::int64_t>());
    config.redial_most = Duration(from.at("redial_most_us").get<std::int64_t>());
    config.paused_for = Duration(from.at("paused_for_us").get<std::int64_t>());
    return config;
  } catch (const json::exception&) {  // its text may show a secret
    return fail(Errc::Protocol,
                "connector: no configuration on standard input (marram run starts connectors)");
  }
}

}  // namespace marram
