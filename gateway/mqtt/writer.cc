#include "gateway/mqtt/writer.h"

#include "core/base/assert.h"

namespace marram::mqtt {

namespace {

std::size_t put_varint(std::size_t value, char* out) {
  MARRAM_ASSERT(value <= kVarintMax, "a packet's length fits four bytes");
  std::size_t count = 0;
  do {
    const std::size_t more = value >= 128 ? 0x80 : 0;
    out[count++] = static_cast<char>((value & 0x7F) | more);
    value >>= 7;
  } while (value != 0);
  return count;
}

}  // namespace

void Writer::u16(std::uint16_t value) {
  const char bytes[2] = {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
  out_.append(bytes, sizeof bytes);
}

void Writer::u32(std::uint32_t value) {
  u16(static_cast<std::uint16_t>(value >> 16));
  u16(static_cast<std::uint16_t>(value & 0xFFFF));
}

void Writer::varint(std::size_t value) {
  char bytes[4];
  out_.append(bytes, put_varint(value, bytes));
}

void Writer::text(std::string_view value) {
  value = value.substr(0, 0xFFFF);
  u16(static_cast<std::uint16_t>(value.size()));
  out_ += value;
}

void Writer::end_block(std::size_t begin) {
  char bytes[4];
  const std::size_t count = put_varint(out_.size() - begin, bytes);
  out_.insert(begin, bytes, count);
}

}  // namespace marram::mqtt
