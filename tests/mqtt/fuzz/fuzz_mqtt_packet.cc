// Any bytes, as packets of both versions: what is accepted is written again, and
// what was written is read back.
#include <cstdint>
#include <cstdlib>

#include "gateway/mqtt/packet.h"

namespace marram::mqtt {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

// A packet that was accepted, once more through the encoder and back.
template <class Packet>
void again(const Packet& packet, Version version) {
  std::string bytes;
  if constexpr (std::is_same_v<Packet, Connect>) {
    encode(packet, bytes);
  } else {
    encode(packet, version, bytes);
  }
  Frame frame;
  must(read_frame(bytes, kVarintMax + 5, frame) == FrameState::Ready);
  must(frame.bytes == bytes.size());
  Packet back;
  if constexpr (std::is_same_v<Packet, Connect>) {
    must(decode(frame, back) == Reason::Success);
  } else {
    must(decode(frame, version, back) == Reason::Success);
  }
}

template <class Packet>
void try_one(const Frame& frame, Version version) {
  Packet packet;
  if constexpr (std::is_same_v<Packet, Connect>) {
    if (decode(frame, packet) == Reason::Success) again(packet, packet.version);
  } else {
    if (decode(frame, version, packet) == Reason::Success) again(packet, version);
  }
}

void try_all(const Frame& frame, Version version) {
  switch (frame.type) {
    case PacketType::Connect:
      return try_one<Connect>(frame, version);
    case PacketType::ConnAck: {
      ConnAck packet;
      (void)decode(frame, version, packet);
      return;
    }
    case PacketType::Publish:
      return try_one<Publish>(frame, version);
    case PacketType::PubAck:
    case PacketType::PubRec:
    case PacketType::PubRel:
    case PacketType::PubComp:
      return try_one<Ack>(frame, version);
    case PacketType::Subscribe:
      return try_one<Subscribe>(frame, version);
    case PacketType::Unsubscribe:
      return try_one<Unsubscribe>(frame, version);
    case PacketType::SubAck:
    case PacketType::UnsubAck:
      return try_one<FilterAnswers>(frame, version);
    case PacketType::PingReq:
    case PacketType::PingResp:
      (void)check_empty(frame);
      return;
    case PacketType::Disconnect:
    case PacketType::Auth:
      return try_one<Farewell>(frame, version);
  }
}

}  // namespace
}  // namespace marram::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marram::mqtt;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Frame frame;
  while (read_frame(rest, 1 << 20, frame) == FrameState::Ready) {
    try_all(frame, Version::V311);
    try_all(frame, Version::V5);
    rest.remove_prefix(frame.bytes);
  }
  return 0;
}
