#include "core/base/utf8.h"

#include <algorithm>

namespace marram {

std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  const std::size_t extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at <= extra) return {};
  char32_t point = lead & (0x3FU >> extra);
  for (std::size_t i = 1; i <= extra; ++i) {
    const unsigned char tail = byte(at + i);
    if ((tail & 0xC0) != 0x80) return {};
    point = point << 6 | (tail & 0x3FU);
  }
  const bool overlong = (extra == 2 && point < 0x800) || (extra == 3 && point < 0x10000);
  if (overlong || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return {};
  at += extra + 1;
  return point;
}

bool is_control(char32_t point) { return point < 0x20 || (point >= 0x7F && point < 0xA0); }

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
    } else if (!next_code_point(text, at)) {
      return false;
    }
  }
  return true;
}

std::optional<std::size_t> find_unprintable(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte < 0x7F) {  // most text, every event: kept short
      ++at;
      continue;
    }
    const std::size_t start = at;
    const auto point = next_code_point(text, at);
    if (!point || is_control(*point)) return start;
  }
  return {};
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const auto point = next_code_point(text, at);
    if (!point) ++at;
    if (!point || is_control(*point)) {
      out += '?';
    } else {
      out += text.substr(start, at - start);
    }
  }
  return out;
}

std::string in_quotes(std::string_view text, std::size_t bytes_max) {
  std::size_t end = std::min(text.size(), bytes_max);
  // A character that is cut would be shown as bytes.
  const auto follows = [&](std::size_t i) { return (text[i] & '\xC0') == '\x80'; };
  for (int i = 0; i < 3 && end > 0 && end < text.size() && follows(end); ++i) --end;
  std::string out = "\"";
  for (const char byte : printable(text.substr(0, end))) {
    if (byte == '"' || byte == '\\') out += '\\';
    out += byte;
  }
  return out += end < text.size() ? "\"..." : "\"";
}

}  // namespace marram
