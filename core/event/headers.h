// An event's headers: ordered pairs of text, names may repeat (as MQTT 5 user
// properties may).  In memory they are one run of bytes, which events share
// and nobody parses before somebody asks:
//
//     (u16 length, name, u16 length, value)*       big endian
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace marram {

using HeaderPairs = std::vector<std::pair<std::string, std::string>>;

// Appends one pair.  Errors: TooLarge  name or value over 65,535 bytes
Status append_header(std::string& packed, std::string_view name, std::string_view value);

// Reads packed headers; what it returns borrows from `packed`.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view packed) : rest_(packed) {}
  // Empty at the end, and at bytes that are no header.
  std::optional<std::pair<std::string_view, std::string_view>> next();
  bool ok() const { return !broken_; }  // false after bytes that are no header

 private:
  std::string_view rest_;
  bool broken_ = false;
};

HeaderPairs unpack_headers(std::string_view packed);
// Errors: TooLarge
Result<std::string> pack_headers(const HeaderPairs& headers);
// The value of the first header of that name.
std::optional<std::string_view> find_header(std::string_view packed, std::string_view name);

}  // namespace marram
