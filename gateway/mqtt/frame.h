// One packet on the wire: the fixed header of MQTT and the bytes that follow it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/mqtt/protocol.h"
#include "gateway/mqtt/writer.h"

namespace marram::mqtt {

struct Frame {
  PacketType type{};
  std::uint8_t flags = 0;  // low four bits of the first byte
  std::string_view body;   // borrows the bytes that were read
  std::size_t bytes = 0;   // of the whole packet
};

enum class FrameState {
  Ready,      // `out` is the first packet of the bytes
  Partial,    // more bytes are needed
  Malformed,  // type 0, flags that the type does not have, a length over four bytes
  TooLarge,   // announces more than `packet_bytes_max`
};

// Looks at the first packet of `bytes`.  A length that is announced is judged
// before its bytes have come.
FrameState read_frame(std::string_view bytes, std::size_t packet_bytes_max, Frame& out);

// Begins a packet at the end of `out` and, when it goes out of scope, puts the
// length into it.  For packets that are small: their bytes move once.
class FrameWriter : public Writer {
 public:
  FrameWriter(std::string& out, PacketType type, std::uint8_t flags = 0);
  ~FrameWriter() { end_block(begin_); }
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

 private:
  std::size_t begin_;
};

}  // namespace marram::mqtt
