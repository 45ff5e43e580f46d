#include "gateway/mqtt/frame.h"

namespace marram::mqtt {

namespace {

constexpr std::size_t kHeaderMax = 5;

// PUBLISH carries its options in the flags; the others have fixed ones.
bool flags_are_right(PacketType type, std::uint8_t flags) {
  switch (type) {
    case PacketType::Publish:
      return true;
    case PacketType::PubRel:
    case PacketType::Subscribe:
    case PacketType::Unsubscribe:
      return flags == 2;
    default:
      return flags == 0;
  }
}

char first_byte(PacketType type, std::uint8_t flags) {
  return static_cast<char>(static_cast<unsigned>(type) << 4 | flags);
}

}  // namespace

FrameState read_frame(std::string_view bytes, std::size_t packet_bytes_max, Frame& out) {
  if (bytes.empty()) return FrameState::Partial;
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first < 0x10) return FrameState::Malformed;
  out.type = static_cast<PacketType>(first >> 4);
  out.flags = first & 0x0F;
  if (!flags_are_right(out.type, out.flags)) return FrameState::Malformed;

  std::size_t length = 0;
  for (std::size_t i = 1; i < kHeaderMax; ++i) {
    if (i == bytes.size()) return FrameState::Partial;
    const auto byte = static_cast<unsigned char>(bytes[i]);
    length |= static_cast<std::size_t>(byte & 0x7F) << (7 * (i - 1));
    if ((byte & 0x80) != 0) continue;
    out.bytes = i + 1 + length;
    if (out.bytes > packet_bytes_max) return FrameState::TooLarge;
    if (bytes.size() < out.bytes) return FrameState::Partial;
    out.body = bytes.substr(i + 1, length);
    return FrameState::Ready;
  }
  return FrameState::Malformed;
}

FrameWriter::FrameWriter(std::string& out, PacketType type, std::uint8_t flags) : Writer(out) {
  out += first_byte(type, flags);
  begin_ = begin_block();
}

}  // namespace marram::mqtt
