#include "gateway/mqtt/subscribe.h"

namespace marram::mqtt {

namespace {

constexpr std::uint8_t kQosBits = 0x03;
constexpr std::uint8_t kNoLocal = 0x04;
constexpr std::uint8_t kRetainAsPublished = 0x08;

Reason take_head(Reader& reader, PacketType type, Version version, std::uint16_t& packet_id,
                 Properties& properties) {
  packet_id = reader.u16();
  if (!reader.ok()) return Reason::MalformedPacket;
  if (packet_id == 0) return Reason::ProtocolError;
  if (version == Version::V311) return Reason::Success;
  return take_properties(reader, type, PropertyPlace::Packet, properties);
}

Reason take_options(std::uint8_t options, Version version, FilterRequest& out) {
  const std::uint8_t allowed = version == Version::V5 ? 0x3F : kQosBits;
  out.qos = options & kQosBits;
  if ((options & ~allowed) != 0 || out.qos == 3) return Reason::MalformedPacket;
  const unsigned handling = options >> 4;
  if (handling > 2) return Reason::ProtocolError;
  out.no_local = (options & kNoLocal) != 0;
  out.retain_as_published = (options & kRetainAsPublished) != 0;
  out.retain_handling = static_cast<RetainHandling>(handling);
  return Reason::Success;
}

std::uint8_t options_of(const FilterRequest& request) {
  return static_cast<std::uint8_t>(request.qos | (request.no_local ? kNoLocal : 0U) |
                                   (request.retain_as_published ? kRetainAsPublished : 0U) |
                                   static_cast<unsigned>(request.retain_handling) << 4);
}

void put_head(Writer& writer, Version version, std::uint16_t packet_id,
              const Properties& properties) {
  writer.u16(packet_id);
  if (version != Version::V5) return;
  writer.varint(properties.raw().size());
  writer.raw(properties.raw());
}

}  // namespace

Reason decode(const Frame& frame, Version version, Subscribe& out) {
  out = Subscribe();
  Reader reader(frame.body);
  Reason reason = take_head(reader, PacketType::Subscribe, version, out.packet_id, out.properties);
  while (reason == Reason::Success && !reader.at_end()) {
    FilterRequest& request = out.filters.emplace_back();
    request.filter = reader.text();
    const std::uint8_t options = reader.u8();
    if (!reader.ok()) return Reason::MalformedPacket;
    reason = take_options(options, version, request);
  }
  if (reason == Reason::Success && out.filters.empty()) return Reason::ProtocolError;
  return reason;
}

Reason decode(const Frame& frame, Version version, Unsubscribe& out) {
  out = Unsubscribe();
  Reader reader(frame.body);
  const Reason reason =
      take_head(reader, PacketType::Unsubscribe, version, out.packet_id, out.properties);
  if (reason != Reason::Success) return reason;
  while (!reader.at_end()) {
    out.filters.push_back(reader.text());
    if (!reader.ok()) return Reason::MalformedPacket;
  }
  return out.filters.empty() ? Reason::ProtocolError : Reason::Success;
}

void encode(const Subscribe& packet, Version version, std::string& out) {
  FrameWriter writer(out, PacketType::Subscribe, 2);
  put_head(writer, version, packet.packet_id, packet.properties);
  for (const FilterRequest& request : packet.filters) {
    writer.text(request.filter);
    writer.u8(options_of(request));
  }
}

void encode(const Unsubscribe& packet, Version version, std::string& out) {
  FrameWriter writer(out, PacketType::Unsubscribe, 2);
  put_head(writer, version, packet.packet_id, packet.properties);
  for (const std::string_view filter : packet.filters) writer.text(filter);
}

Reason decode(const Frame& frame, Version version, FilterAnswers& out) {
  out = FilterAnswers{.type = frame.type};
  Reader reader(frame.body);
  const Reason reason = take_head(reader, frame.type, version, out.packet_id, out.properties);
  if (reason != Reason::Success) return reason;
  while (!reader.at_end()) out.codes.push_back(static_cast<Reason>(reader.u8()));
  return Reason::Success;
}

void encode(const FilterAnswers& packet, Version version, std::string& out) {
  FrameWriter writer(out, packet.type);
  put_head(writer, version, packet.packet_id, packet.properties);
  if (version == Version::V311 && packet.type == PacketType::UnsubAck) return;
  for (const Reason code : packet.codes) {
    const Reason shown = version == Version::V311 && is_error(code) ? Reason::Unspecified : code;
    writer.u8(static_cast<std::uint8_t>(shown));
  }
}

}  // namespace marram::mqtt
