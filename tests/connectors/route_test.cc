#include "gateway/connectors/route.h"

#include <doctest/doctest.h>

#include <string>

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/route");

RouteOptions route_to(const std::string& to) {
  return {.name = "cloud", .from = {"plant/#"}, .to = to};
}

std::string refusal(const RouteOptions& route) {
  const auto status = check_route(route, Limits{});
  return status ? "" : status.error().message;
}

TEST_CASE("an address has a scheme, a host and the port of its scheme unless it names one") {
  CHECK(parse_route_target("mqtt://broker")->text() == "mqtt://broker:1883");
  CHECK(parse_route_target("mqtts://broker.example/")->text() == "mqtts://broker.example:8883");
  CHECK(parse_route_target("mqtt://127.0.0.1:2000")->text() == "mqtt://127.0.0.1:2000");
  CHECK(parse_route_target("mqtts://[::1]:99")->text() == "mqtts://[::1]:99");
  CHECK(parse_route_target("mqtt://[fe80::1]")->host == "fe80::1");
}

TEST_CASE("the schemes of later connectors are refused by name") {
  for (const std::string scheme : {"kafka", "nats", "amqp", "amqps", "http", "https"}) {
    const auto target = parse_route_target(scheme + "://host");

    REQUIRE_FALSE(target);
    CHECK(target.error().code == Errc::Unsupported);
    CHECK(target.error().message.find("not in this release") != std::string::npos);
  }
}

TEST_CASE("an address that is none is refused, and so are secrets in it") {
  for (const std::string to :
       {"broker:1883", "mqtt://", "mqtt://:1883", "mqtt://h:0", "mqtt://h:65536", "mqtt://h:x",
        "mqtt://h:", "mqtt://[::1", "mqtt://[::1]x", "mqtt://h/path", "ftp://h", "mqtt://h h"}) {
    CAPTURE(to);
    const auto target = parse_route_target(to);
    REQUIRE_FALSE(target);
    CHECK(target.error().code == Errc::Invalid);
  }
  const auto target = parse_route_target("mqtt://me:secret@host");
  REQUIRE_FALSE(target);
  CHECK(target.error().message.find("secret") == std::string::npos);
}

TEST_CASE("a route is refused with the key that is wrong") {
  CHECK(refusal(route_to("mqtt://h")) == "");

  RouteOptions route = route_to("mqtt://h");
  route.from = {};
  CHECK(refusal(route).starts_with("from:"));
  route.from = {"a/#/b"};
  CHECK(refusal(route).starts_with("from:"));
  route.from = {"$share/g/a"};
  CHECK(refusal(route).starts_with("from:"));

  route = route_to("mqtt://h");
  route.qos = 2;
  CHECK(check_route(route, Limits{}).error().code == Errc::Unsupported);
  route = route_to("mqtt://h");
  route.in_flight = 0;
  CHECK(refusal(route).starts_with("in_flight:"));
  route = route_to("mqtt://h");
  route.keep_alive = std::chrono::seconds(0);
  CHECK(refusal(route).starts_with("keep_alive:"));
  route = route_to("mqtt://h");
  route.tls.ca_file = "ca.pem";
  CHECK(refusal(route).starts_with("tls:"));
  route = route_to("mqtts://h");
  route.tls.key_file = "key.pem";
  CHECK(refusal(route).starts_with("tls:"));
  route = route_to("mqtt://h");
  route.protocol = MqttVersion::V311;
  route.password = "p";
  CHECK(refusal(route).starts_with("password:"));
  route = route_to("mqtt://h");
  route.name = "a/b";
  CHECK(refusal(route) != "");
}

RouteOptions named(const std::string& name, RouteDirection direction, const std::string& from,
                   const std::string& topic, MqttVersion protocol) {
  RouteOptions route = route_to("mqtt://broker");
  route.name = name;
  route.direction = direction;
  route.from = {from};
  route.topic = topic;
  route.protocol = protocol;
  return route;
}

TEST_CASE("two routes of one name are refused") {
  const RouteOptions both[] = {route_to("mqtt://a"), route_to("mqtt://b")};

  const auto status = check_routes(both);

  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::Exists);
}

TEST_CASE("an MQTT 3.1.1 pair of routes that would send an event in circles is refused") {
  const auto check = [](const RouteOptions& out, const RouteOptions& in) {
    const RouteOptions both[] = {out, in};
    return check_routes(both).has_value();
  };
  const auto out = [](const std::string& from, const std::string& topic,
                      MqttVersion protocol = MqttVersion::V311) {
    return named("out", RouteDirection::Out, from, topic, protocol);
  };
  const auto in = [](const std::string& from, const std::string& topic,
                     MqttVersion protocol = MqttVersion::V311) {
    return named("in", RouteDirection::In, from, topic, protocol);
  };

  CHECK_FALSE(check(out("plant/#", ""), in("plant/cmd/#", "")));
  CHECK_FALSE(check(out("plant/#", "acme/{topic}"), in("acme/#", "{rest}")));
  CHECK_FALSE(check(out("plant/#", "acme/{node}/{rest}"), in("acme/gw/#", "plant/{rest}")));
  CHECK_FALSE(check(out("a/#", "", MqttVersion::V5), in("a/#", "")));
  // MQTT 5 marks what it sends; topics apart, or other brokers, never meet.
  CHECK(check(out("a/#", "", MqttVersion::V5), in("a/#", "", MqttVersion::V5)));
  CHECK(check(out("plant/#", "acme/up/{topic}"), in("acme/cmd/#", "cmd/{rest}")));
  CHECK(check(out("plant/#", ""), in("plant/cmd/#", "cmd/{rest}")));
  RouteOptions elsewhere = in("plant/#", "");
  elsewhere.to = "mqtt://other";
  CHECK(check(out("plant/#", ""), elsewhere));
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
