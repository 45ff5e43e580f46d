// The small packets: PINGREQ, PINGRESP, DISCONNECT, AUTH.
#pragma once

#include <string>

#include "gateway/mqtt/frame.h"
#include "gateway/mqtt/property.h"

namespace marram::mqtt {

// DISCONNECT or AUTH.  In 3.1.1 a DISCONNECT has neither reason nor properties,
// and AUTH does not exist.
struct Farewell {
  PacketType type = PacketType::Disconnect;
  Reason reason = Reason::Success;
  Properties properties;
};

// Success, MalformedPacket or ProtocolError.
Reason decode(const Frame& frame, Version version, Farewell& out);
void encode(const Farewell& packet, Version version, std::string& out);

// PINGREQ and PINGRESP have no body.
Reason check_empty(const Frame& frame);
void encode_empty(PacketType type, std::string& out);

}  // namespace marram::mqtt
