// SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK.
#pragma once

#include <string>
#include <vector>

#include "gateway/mqtt/frame.h"
#include "gateway/mqtt/property.h"

namespace marram::mqtt {

enum class RetainHandling : std::uint8_t { Send = 0, SendIfNew = 1, DoNotSend = 2 };

struct FilterRequest {
  std::string_view filter;  // valid UTF-8; its syntax is the caller's to check
  std::uint8_t qos = 0;     // 0, 1, 2
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::Send;
};

struct Subscribe {
  std::uint16_t packet_id = 0;
  std::vector<FilterRequest> filters;  // at least one
  Properties properties;
};

struct Unsubscribe {
  std::uint16_t packet_id = 0;
  std::vector<std::string_view> filters;  // at least one
  Properties properties;
};

// Success, MalformedPacket or ProtocolError.
Reason decode(const Frame& frame, Version version, Subscribe& out);
Reason decode(const Frame& frame, Version version, Unsubscribe& out);
void encode(const Subscribe& packet, Version version, std::string& out);
void encode(const Unsubscribe& packet, Version version, std::string& out);

// SUBACK or UNSUBACK.  In 3.1.1 a refusal is 0x80, and UNSUBACK has no codes.
struct FilterAnswers {
  PacketType type = PacketType::SubAck;
  std::uint16_t packet_id = 0;
  std::vector<Reason> codes;
  Properties properties;
};

Reason decode(const Frame& frame, Version version, FilterAnswers& out);
void encode(const FilterAnswers& packet, Version version, std::string& out);

}  // namespace marram::mqtt
