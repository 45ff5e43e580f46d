// PUBLISH <-> event: the table is in docs/mqtt.md.
//
// MQTT 5 user properties are headers; `id`, `time` and `partitionkey` are the
// event's own fields, named as CloudEvents 1.0 names them.  What has no field in
// an event travels as a header: kResponseTopic, kCorrelationData (base64),
// kPayloadFormat.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/limits.h"
#include "core/event/event.h"
#include "gateway/mqtt/publish.h"

namespace marram::mqtt {

inline constexpr std::string_view kResponseTopic = "mqtt-response-topic";
inline constexpr std::string_view kCorrelationData = "mqtt-correlation-data";
inline constexpr std::string_view kPayloadFormat = "mqtt-payload-format";
inline constexpr std::string_view kClock = "marramclock";  // "suspect": `time` was absurd

// Fills `out` from the packet; it borrows the packet's bytes and `headers`, which
// is replaced.  Success, or why there is no event of ours in the packet:
// TopicAliasInvalid, ProtocolError (end the connection), TopicInvalid,
// NotAuthorized (a topic of Marram's own), ImplementationSpecific (a limit).
Reason to_event(const Publish& packet, WallTime now, const Limits& limits, std::string& headers,
                EventView& out);

// The MQTT 5 properties of an event on its way out, appended to `out`.  A header
// that is no UTF-8 cannot be carried and is left out.
void put_properties(const EventView& event, WallTime now,
                    std::span<const std::uint32_t> identifiers, std::string& out);

}  // namespace marram::mqtt
