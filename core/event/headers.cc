#include "core/event/headers.h"

#include <fmt/format.h>

#include <cstdint>

namespace marram {

namespace {

constexpr std::size_t kTextMax = 0xFFFF;

void append_text(std::string& packed, std::string_view text) {
  packed += static_cast<char>(text.size() >> 8);
  packed += static_cast<char>(text.size() & 0xFF);
  packed += text;
}

std::optional<std::string_view> take_text(std::string_view& rest) {
  if (rest.size() < 2) return {};
  const auto high = static_cast<unsigned char>(rest[0]);
  const auto low = static_cast<unsigned char>(rest[1]);
  const std::size_t size = static_cast<std::size_t>(high) << 8 | low;
  if (rest.size() - 2 < size) return {};
  const std::string_view text = rest.substr(2, size);
  rest.remove_prefix(2 + size);
  return text;
}

}  // namespace

Status append_header(std::string& packed, std::string_view name, std::string_view value) {
  if (name.size() > kTextMax || value.size() > kTextMax) {
    return fail(Errc::TooLarge,
                fmt::format("headers: a name or value has {} bytes, over the limit of "
                            "{}",
                            std::max(name.size(), value.size()), kTextMax));
  }
  append_text(packed, name);
  append_text(packed, value);
  return {};
}

std::optional<std::pair<std::string_view, std::string_view>> HeaderReader::next() {
  if (rest_.empty() || broken_) return {};
  const auto name = take_text(rest_);
  const auto value = name ? take_text(rest_) : std::nullopt;
  if (!value) {
    broken_ = true;
    return {};
  }
  return std::pair(*name, *value);
}

HeaderPairs unpack_headers(std::string_view packed) {
  HeaderPairs headers;
  HeaderReader reader(packed);
  while (const auto header = reader.next()) headers.emplace_back(header->first, header->second);
  return headers;
}

Result<std::string> pack_headers(const HeaderPairs& headers) {
  std::string packed;
  for (const auto& [name, value] : headers) {
    if (auto status = append_header(packed, name, value); !status) {
      return tl::unexpected(status.error());
    }
  }
  return packed;
}

std::optional<std::string_view> find_header(std::string_view packed, std::string_view name) {
  HeaderReader reader(packed);
  while (const auto header = reader.next()) {
    if (header->first == name) return header->second;
  }
  return {};
}

}  // namespace marram
