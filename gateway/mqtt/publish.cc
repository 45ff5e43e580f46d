#include "gateway/mqtt/publish.h"

namespace marram::mqtt {

namespace {

constexpr std::uint8_t kRetain = 0x01;
constexpr std::uint8_t kDup = 0x08;

std::size_t body_bytes(const Publish& packet, Version version) {
  const std::size_t properties = packet.properties.raw().size();
  return 2 + packet.topic.size() + (packet.qos > 0 ? 2 : 0) +
         (version == Version::V5 ? varint_bytes(properties) + properties : 0) +
         packet.payload.size();
}

}  // namespace

Reason decode(const Frame& frame, Version version, Publish& out) {
  out.qos = (frame.flags >> 1) & 0x03;
  out.retain = (frame.flags & kRetain) != 0;
  out.dup = (frame.flags & kDup) != 0;
  out.packet_id = 0;
  out.properties = {};
  if (out.qos == 3 || (out.dup && out.qos == 0)) return Reason::MalformedPacket;
  Reader reader(frame.body);
  out.topic = reader.text();
  if (out.qos > 0) {
    out.packet_id = reader.u16();
    if (out.packet_id == 0) return reader.ok() ? Reason::ProtocolError : Reason::MalformedPacket;
  }
  if (version == Version::V5) {
    const Reason reason =
        take_properties(reader, PacketType::Publish, PropertyPlace::Packet, out.properties);
    if (reason != Reason::Success) return reason;
  }
  out.payload = reader.rest();
  if (!reader.ok()) return Reason::MalformedPacket;
  if (!out.topic.empty()) return Reason::Success;
  return out.properties.has(PropertyId::TopicAlias) ? Reason::Success : Reason::ProtocolError;
}

std::size_t encoded_bytes(const Publish& packet, Version version) {
  const std::size_t body = body_bytes(packet, version);
  return 1 + varint_bytes(body) + body;
}

void encode(const Publish& packet, Version version, std::string& out) {
  Writer writer(out);
  writer.u8(static_cast<std::uint8_t>(static_cast<unsigned>(PacketType::Publish) << 4 |
                                      (packet.dup ? kDup : 0U) | unsigned{packet.qos} << 1 |
                                      (packet.retain ? kRetain : 0U)));
  writer.varint(body_bytes(packet, version));
  writer.text(packet.topic);
  if (packet.qos > 0) writer.u16(packet.packet_id);
  if (version == Version::V5) {
    writer.varint(packet.properties.raw().size());
    writer.raw(packet.properties.raw());
  }
  writer.raw(packet.payload);
}

Reason decode(const Frame& frame, Version version, Ack& out) {
  out = Ack{.type = frame.type};
  Reader reader(frame.body);
  out.packet_id = reader.u16();
  if (!reader.ok()) return Reason::MalformedPacket;
  if (out.packet_id == 0) return Reason::ProtocolError;
  if (version == Version::V5 && !reader.at_end()) {
    out.reason = static_cast<Reason>(reader.u8());
    if (!reader.at_end()) {
      const Reason reason =
          take_properties(reader, frame.type, PropertyPlace::Packet, out.properties);
      if (reason != Reason::Success) return reason;
    }
  }
  return reader.at_end() ? Reason::Success : Reason::MalformedPacket;
}

void encode(const Ack& packet, Version version, std::string& out) {
  const bool plain =
      version == Version::V311 || (packet.reason == Reason::Success && packet.properties.empty());
  if (plain) {
    const char bytes[] = {static_cast<char>(static_cast<unsigned>(packet.type) << 4 |
                                            (packet.type == PacketType::PubRel ? 2U : 0U)),
                          2, static_cast<char>(packet.packet_id >> 8),
                          static_cast<char>(packet.packet_id & 0xFF)};
    out.append(bytes, sizeof bytes);
    return;
  }
  FrameWriter writer(out, packet.type, packet.type == PacketType::PubRel ? 2 : 0);
  writer.u16(packet.packet_id);
  writer.u8(static_cast<std::uint8_t>(packet.reason));
  if (packet.properties.empty()) return;
  writer.varint(packet.properties.raw().size());
  writer.raw(packet.properties.raw());
}

}  // namespace marram::mqtt
