#include "gateway/mqtt/reader.h"

#include <cstring>

#include "core/base/utf8.h"

namespace marram::mqtt {

namespace {

unsigned char at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// How many of the first bytes are ASCII without NUL, eight at a time.
std::size_t plain_prefix(std::string_view text) {
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  std::size_t done = 0;
  while (text.size() - done >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + done, 8);
    const std::uint64_t zero = (word - kOnes) & ~word;  // high bit set: some byte is zero
    if (((word | zero) & kHigh) != 0) break;
    done += 8;
  }
  return done;
}

}  // namespace

bool is_mqtt_text(std::string_view text) {
  for (std::size_t i = plain_prefix(text); i < text.size();) {
    const auto point = next_code_point(text, i);
    if (!point || *point == 0) return false;
  }
  return true;
}

void Reader::fail() {
  ok_ = false;
  rest_ = {};
}

std::string_view Reader::raw(std::size_t size) {
  if (rest_.size() < size) {
    fail();
    return {};
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::uint8_t Reader::u8() {
  const std::string_view bytes = raw(1);
  return bytes.empty() ? 0 : at(bytes, 0);
}

std::uint16_t Reader::u16() {
  const std::string_view bytes = raw(2);
  if (bytes.empty()) return 0;
  return static_cast<std::uint16_t>(at(bytes, 0) << 8 | at(bytes, 1));
}

std::uint32_t Reader::u32() {
  const std::uint32_t high = u16();
  return high << 16 | u16();
}

std::uint32_t Reader::varint() {
  std::uint32_t value = 0;
  for (int shift = 0; shift < 28; shift += 7) {
    const std::uint8_t byte = u8();
    value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if (!ok_) return 0;
    // The encoding must be the shortest one (section 1.5.5).
    if (byte == 0 && shift > 0) break;
    if ((byte & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

std::string_view Reader::binary() {
  const std::size_t size = u16();
  return ok_ ? raw(size) : std::string_view();
}

std::string_view Reader::text() {
  const std::string_view bytes = binary();
  if (!is_mqtt_text(bytes)) fail();
  return ok_ ? bytes : std::string_view();
}

}  // namespace marram::mqtt
