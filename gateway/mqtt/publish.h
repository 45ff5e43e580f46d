// PUBLISH, and the four packets that answer one: PUBACK, PUBREC, PUBREL, PUBCOMP.
#pragma once

#include <string>

#include "gateway/mqtt/frame.h"
#include "gateway/mqtt/property.h"

namespace marram::mqtt {

struct Publish {
  std::string_view topic;
  std::string_view payload;
  std::uint16_t packet_id = 0;  // none at QoS 0
  std::uint8_t qos = 0;
  bool retain = false;
  bool dup = false;
  Properties properties;
};

// Success, MalformedPacket or ProtocolError.  The topic is valid UTF-8 and not
// empty, unless a topic alias stands for it; wildcards are the caller's to refuse.
Reason decode(const Frame& frame, Version version, Publish& out);
void encode(const Publish& packet, Version version, std::string& out);
// What encode() appends.
std::size_t encoded_bytes(const Publish& packet, Version version);

struct Ack {
  PacketType type = PacketType::PubAck;
  std::uint16_t packet_id = 0;
  Reason reason = Reason::Success;  // always Success in 3.1.1
  Properties properties;
};

Reason decode(const Frame& frame, Version version, Ack& out);
void encode(const Ack& packet, Version version, std::string& out);

}  // namespace marram::mqtt
