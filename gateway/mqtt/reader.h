// Takes MQTT's primitive types off the front of some bytes.
//
// The first read that does not fit breaks the Reader: that one and all later
// ones give zero or nothing, and ok() says so.  What is read borrows the bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace marram::mqtt {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint32_t varint();     // 1 to 4 bytes; a longer one breaks the Reader
  std::string_view binary();  // with two bytes of length before it
  std::string_view text();    // as binary(), UTF-8 without U+0000
  std::string_view raw(std::size_t size);
  std::string_view rest() { return raw(rest_.size()); }

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }
  void fail();

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Well-formed UTF-8 as MQTT wants it: no surrogates, no U+0000 (section 1.5.4).
bool is_mqtt_text(std::string_view text);

}  // namespace marram::mqtt
