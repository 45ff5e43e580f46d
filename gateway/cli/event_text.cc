#include "gateway/cli/event_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "core/event/headers.h"

namespace marram::cli {

namespace {

nlohmann::ordered_json headers_json(std::string_view packed) {
  // A list of pairs: names may repeat.
  auto list = nlohmann::ordered_json::array();
  for (const auto& [name, value] : unpack_headers(packed)) list.push_back({name, value});
  return list;
}

// Whatever could drive a terminal becomes \x1b.
std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const auto point = next_code_point(text, at);
    if (!point) ++at;
    const bool shown = point && !is_control(*point);
    for (const char c : text.substr(begin, at - begin)) {
      out += shown ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      three = three << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= have ? kLetters[three >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::string event_json(const EventView& event, std::string_view log, std::uint32_t attempt) {
  nlohmann::ordered_json json;
  json["id"] = event.id_text();
  json["topic"] = event.topic;
  if (!event.key.empty()) json["key"] = event.key;
  json["time"] = iso_text(event.time);
  json["recorded"] = iso_text(event.recorded);
  if (event.expires != WallTime{}) json["expires"] = iso_text(event.expires);
  if (!event.content_type.empty()) json["content_type"] = event.content_type;
  if (!event.client.empty()) json["client"] = event.client;
  if (!event.headers.empty()) json["headers"] = headers_json(event.headers);
  json["log"] = log;
  json["seq"] = event.position.seq();
  json["attempt"] = attempt;
  if (is_utf8(event.payload)) {
    json["payload"] = event.payload;
  } else {
    json["payload_base64"] = base64(event.payload);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string event_line(const EventView& event, bool terminal) {
  return fmt::format("{} {}", event.topic,
                     terminal ? escaped(event.payload) : std::string(event.payload));
}

}  // namespace marram::cli
