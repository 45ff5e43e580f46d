// CONNECT and CONNACK.
#pragma once

#include <optional>
#include <string>

#include "gateway/mqtt/frame.h"
#include "gateway/mqtt/property.h"

namespace marram::mqtt {

struct Will {
  std::string_view topic;
  std::string_view payload;
  std::uint8_t qos = 0;
  bool retain = false;
  Properties properties;
};

struct Connect {
  Version version = Version::V311;
  bool clean_start = true;       // "clean session" in 3.1.1
  std::uint16_t keep_alive = 0;  // seconds; 0: none
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> user;
  std::optional<std::string_view> password;
  Properties properties;
};

// Success, MalformedPacket, ProtocolError, or UnsupportedVersion: then `version`
// is the one to answer in.
Reason decode(const Frame& frame, Connect& out);
void encode(const Connect& packet, std::string& out);

struct ConnAck {
  bool session_present = false;
  Reason reason = Reason::Success;
  std::uint8_t code_311 = 0;  // read from a 3.1.1 packet only
  Properties properties;
};

Reason decode(const Frame& frame, Version version, ConnAck& out);
// A 3.1.1 packet gets the return code that is closest to the reason.
void encode(const ConnAck& packet, Version version, std::string& out);

}  // namespace marram::mqtt
