#include "gateway/mqtt/connect.h"

namespace marram::mqtt {

namespace {

constexpr std::uint8_t kReserved = 0x01;
constexpr std::uint8_t kCleanStart = 0x02;
constexpr std::uint8_t kWill = 0x04;
constexpr std::uint8_t kWillRetain = 0x20;
constexpr std::uint8_t kPassword = 0x40;
constexpr std::uint8_t kUser = 0x80;

std::uint8_t will_qos(std::uint8_t flags) { return (flags >> 3) & 0x03; }

bool flags_are_right(std::uint8_t flags, Version version) {
  if ((flags & kReserved) != 0 || will_qos(flags) == 3) return false;
  if ((flags & kWill) == 0 && (will_qos(flags) != 0 || (flags & kWillRetain) != 0)) return false;
  const bool lone_password = (flags & kPassword) != 0 && (flags & kUser) == 0;
  return version == Version::V5 || !lone_password;
}

Reason take_version(Reader& reader, Version& version) {
  const std::string_view protocol = reader.text();
  const std::uint8_t level = reader.u8();
  if (!reader.ok()) return Reason::MalformedPacket;
  version = level >= 5 ? Version::V5 : Version::V311;
  const bool known = protocol == "MQTT" && (level == 4 || level == 5);
  return known ? Reason::Success : Reason::UnsupportedVersion;
}

Reason take_will(Reader& reader, std::uint8_t flags, Connect& out) {
  Will& will = out.will.emplace();
  will.qos = will_qos(flags);
  will.retain = (flags & kWillRetain) != 0;
  if (out.version == Version::V5) {
    const Reason reason =
        take_properties(reader, PacketType::Connect, PropertyPlace::Will, will.properties);
    if (reason != Reason::Success) return reason;
  }
  will.topic = reader.text();
  will.payload = reader.binary();
  return reader.ok() ? Reason::Success : Reason::MalformedPacket;
}

std::uint8_t flags_of(const Connect& packet) {
  unsigned flags = packet.clean_start ? kCleanStart : 0;
  if (packet.will) {
    flags |= kWill | unsigned{packet.will->qos} << 3 | (packet.will->retain ? kWillRetain : 0U);
  }
  if (packet.user) flags |= kUser;
  if (packet.password) flags |= kPassword;
  return static_cast<std::uint8_t>(flags);
}

void put_properties(Writer& writer, const Properties& properties, Version version) {
  if (version != Version::V5) return;
  writer.varint(properties.raw().size());
  writer.raw(properties.raw());
}

}  // namespace

Reason decode(const Frame& frame, Connect& out) {
  out = Connect();
  Reader reader(frame.body);
  Reason reason = take_version(reader, out.version);
  if (reason != Reason::Success) return reason;
  const std::uint8_t flags = reader.u8();
  out.keep_alive = reader.u16();
  if (!reader.ok() || !flags_are_right(flags, out.version)) return Reason::MalformedPacket;
  out.clean_start = (flags & kCleanStart) != 0;
  if (out.version == Version::V5) {
    reason = take_properties(reader, PacketType::Connect, PropertyPlace::Packet, out.properties);
    if (reason != Reason::Success) return reason;
  }
  out.client_id = reader.text();
  if ((flags & kWill) != 0 && reader.ok()) {
    reason = take_will(reader, flags, out);
    if (reason != Reason::Success) return reason;
  }
  if ((flags & kUser) != 0) out.user = reader.text();
  if ((flags & kPassword) != 0) out.password = reader.binary();
  return reader.ok() && reader.at_end() ? Reason::Success : Reason::MalformedPacket;
}

void encode(const Connect& packet, std::string& out) {
  FrameWriter writer(out, PacketType::Connect);
  writer.text("MQTT");
  writer.u8(static_cast<std::uint8_t>(packet.version));
  writer.u8(flags_of(packet));
  writer.u16(packet.keep_alive);
  put_properties(writer, packet.properties, packet.version);
  writer.text(packet.client_id);
  if (packet.will) {
    put_properties(writer, packet.will->properties, packet.version);
    writer.text(packet.will->topic);
    writer.text(packet.will->payload);
  }
  if (packet.user) writer.text(*packet.user);
  if (packet.password) writer.text(*packet.password);
}

Reason decode(const Frame& frame, Version version, ConnAck& out) {
  out = ConnAck();
  Reader reader(frame.body);
  const std::uint8_t flags = reader.u8();
  const std::uint8_t code = reader.u8();
  if (!reader.ok() || flags > 1) return Reason::MalformedPacket;
  out.session_present = flags == 1;
  if (version == Version::V311) {
    out.code_311 = code;
    out.reason = code == 0 ? Reason::Success : Reason::Unspecified;
    return reader.at_end() ? Reason::Success : Reason::MalformedPacket;
  }
  out.reason = static_cast<Reason>(code);
  const Reason reason =
      take_properties(reader, PacketType::ConnAck, PropertyPlace::Packet, out.properties);
  if (reason != Reason::Success) return reason;
  return reader.at_end() ? Reason::Success : Reason::MalformedPacket;
}

void encode(const ConnAck& packet, Version version, std::string& out) {
  FrameWriter writer(out, PacketType::ConnAck);
  writer.u8(packet.session_present ? 1 : 0);
  writer.u8(version == Version::V5 ? static_cast<std::uint8_t>(packet.reason)
                                   : connack_code_311(packet.reason));
  put_properties(writer, packet.properties, version);
}

}  // namespace marram::mqtt
