#include "gateway/mqtt/control.h"

namespace marram::mqtt {

Reason decode(const Frame& frame, Version version, Farewell& out) {
  out = Farewell{.type = frame.type};
  if (version == Version::V311) {
    if (frame.type == PacketType::Auth) return Reason::ProtocolError;
    return check_empty(frame);
  }
  Reader reader(frame.body);
  if (reader.at_end()) return Reason::Success;
  out.reason = static_cast<Reason>(reader.u8());
  if (!reader.at_end()) {
    const Reason reason =
        take_properties(reader, frame.type, PropertyPlace::Packet, out.properties);
    if (reason != Reason::Success) return reason;
  }
  return reader.at_end() ? Reason::Success : Reason::MalformedPacket;
}

void encode(const Farewell& packet, Version version, std::string& out) {
  FrameWriter writer(out, packet.type);
  if (version == Version::V311) return;
  if (packet.reason == Reason::Success && packet.properties.empty()) return;
  writer.u8(static_cast<std::uint8_t>(packet.reason));
  if (packet.properties.empty()) return;
  writer.varint(packet.properties.raw().size());
  writer.raw(packet.properties.raw());
}

Reason check_empty(const Frame& frame) {
  return frame.body.empty() ? Reason::Success : Reason::MalformedPacket;
}

void encode_empty(PacketType type, std::string& out) { const FrameWriter writer(out, type); }

}  // namespace marram::mqtt
