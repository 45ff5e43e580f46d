// An event on its way to or from an outside MQTT broker.  Pure.
//
// MQTT 5: CloudEvents 1.0 in binary mode, attributes as user properties without
// a prefix (docs/routes.md has the table).  MQTT 3.1.1: topic and payload only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/event/event.h"
#include "gateway/connectors/route.h"

namespace marram {

struct MqttMessage {
  std::string topic;
  std::string payload;
  std::string content_type;
  HeaderPairs properties;                 // user properties
  std::optional<std::uint32_t> expiry_s;  // Message Expiry Interval

  // What a PUBLISH of it takes at most.
  std::size_t packet_bytes() const;
};

// Which node this is.
struct NodeIdentity {
  std::string name;
  std::string id;
};

// The ids of the nodes that a message has passed, in order, separated by commas.
inline constexpr std::string_view kPassedProperty = "marramnode";

// Whether the time of the event is over.
bool is_expired(const EventView& event, WallTime now);

// Errors: Invalid, TooLarge  the rewritten topic, or a header that MQTT cannot carry
Result<MqttMessage> to_outside(const EventView& event, const RouteOptions& route,
                               const NodeIdentity& node, WallTime now);

// Whether the message has been on the node of this id before.
bool has_passed(const MqttMessage& message, std::string_view node_id);

// Errors: Invalid, TooLarge  no filter matches, or no event of ours can be made of it
Result<Event> from_outside(MqttMessage message, const RouteOptions& route, const NodeIdentity& node,
                           WallTime now, const Limits& limits);

}  // namespace marram
