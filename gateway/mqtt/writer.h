// Appends MQTT's primitive types to the caller's buffer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace marram::mqtt {

constexpr std::size_t kVarintMax = 268'435'455;

constexpr std::size_t varint_bytes(std::size_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void u8(std::uint8_t value) { out_ += static_cast<char>(value); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void varint(std::size_t value);     // up to kVarintMax
  void text(std::string_view value);  // up to 65,535 bytes; more are cut off
  void raw(std::string_view value) { out_ += value; }

  // What is written between the two gets its length, as a varint, before it.
  std::size_t begin_block() const { return out_.size(); }
  void end_block(std::size_t begin);

 private:
  std::string& out_;
};

}  // namespace marram::mqtt
