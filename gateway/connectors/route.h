// A route: events of this node to an outside system, or from there to here.
//
// RouteOptions is what `[[route]]` in the config says (docs/routes.md).  The rest of
// this page is pure: checks, the address in `to`, and the rewriting of topics.
//
// A rewrite template is a topic in which these stand for something:
//
//     {node}    the node's name
//     {topic}   the whole topic; a level (or the whole template) of its own
//     {rest}    what the '#' at the end of the matching `from` filter stands for;
//               a level of its own.  Where '#' stands for nothing (`a/#` and the
//               topic `a`), the level and its '/' vanish.
//
// {topic} gives different topics different names; so does {rest} for those of one filter.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/base/result.h"

namespace marram {

enum class RouteDirection { Out, In };
enum class MqttVersion { V311 = 4, V5 = 5 };  // the protocol level in CONNECT
// What a route does with an event that the outside will never take.
enum class OnPoison { Pause, Skip };

struct RouteTls {
  std::string ca_file;           // PEM; empty: the system's
  std::string certificate_file;  // of ours, PEM with the chain
  std::string key_file;
};

struct RouteOptions {
  std::string name;
  RouteDirection direction = RouteDirection::Out;
  std::vector<std::string> from;  // filters; of this node, or of the outside for In
  std::string to;                 // mqtt://HOST[:PORT] or mqtts://HOST[:PORT]; also for In
  std::string topic;              // template; empty: {topic}
  std::string user;
  std::string password;  // itself, not where it is kept
  RouteTls tls;
  MqttVersion protocol = MqttVersion::V5;
  std::string client_id;        // empty: "marram-<node>-<route>"
  std::size_t in_flight = 100;  // events sent and not yet acknowledged
  std::chrono::seconds keep_alive{30};
  int qos = 1;  // the only one so far
  OnPoison on_poison = OnPoison::Pause;
};

// Where `to` points.
struct RouteTarget {
  bool tls = false;
  std::string host;  // without brackets
  std::uint16_t port = 1883;

  std::string text() const;  // "mqtts://broker.example:8883"
  bool operator==(const RouteTarget&) const = default;
};

// Errors: Unsupported  the scheme of another connector, not in this release
//         Invalid      anything else; user and password belong in their own keys
Result<RouteTarget> parse_route_target(std::string_view to);

// One route by itself.  Errors: Invalid, TooLarge, Unsupported; messages begin with the key.
Status check_route(const RouteOptions& route, const Limits& limits);

// All routes of a node, each of them checked already.
//
// Errors: Exists   two of one name
//         Invalid  an out and an in route of one broker would carry an event round for
//                  ever: MQTT 3.1.1 has no user property to tell that it was here before
Status check_routes(std::span<const RouteOptions> routes);

// "route:NAME", the durable consumer of a route.
std::string route_consumer(std::string_view route_name);

// The topic that an event of `topic` gets on its way through `route`.
//
// Errors: Invalid, TooLarge  no filter matches, or what comes out is not a topic
Result<std::string> rewrite_topic(const RouteOptions& route, std::string_view node_name,
                                  std::string_view topic, const Limits& limits);

}  // namespace marram
