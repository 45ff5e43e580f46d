#include "gateway/connectors/mqtt_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace marram {
namespace {

constexpr std::string_view kEventType = "io.marram.event";
constexpr std::size_t kStringBytesMax = 65'535;  // of MQTT

// Said by the event itself, so a header of that name gives way.
constexpr std::array<std::string_view, 4> kOwn{"id", "time", "partitionkey", kPassedProperty};

bool is_own(std::string_view name) {
  return std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
}

const std::string* find(const HeaderPairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string source_of(const EventView& event, const NodeIdentity& node) {
  std::string source = "//marram/" + percent_encoded(node.name);
  if (!event.client.empty()) source += "/" + percent_encoded(event.client);
  return source;
}

// The attributes that CloudEvents asks for, where the publisher gave none.
void add_attributes(const EventView& event, const MqttMessage& message, const NodeIdentity& node,
                    HeaderPairs& out) {
  const auto add = [&](std::string_view name, std::string value) {
    if (find(out, name) == nullptr) out.emplace_back(name, std::move(value));
  };
  out.emplace_back("id", event.id_text());
  out.emplace_back("time", iso_text(event.time));
  if (!event.key.empty()) out.emplace_back("partitionkey", event.key);
  add("specversion", "1.0");
  add("type", std::string(kEventType));
  add("source", source_of(event, node));
  if (message.topic != event.topic) add("subject", std::string(event.topic));
}

std::string passed(std::string_view headers, std::string_view node_id) {
  std::string list(find_header(headers, kPassedProperty).value_or(""));
  if (!list.empty()) list += ',';
  return list + std::string(node_id);
}

Status check_strings(const MqttMessage& message) {
  for (const auto& [name, value] : message.properties) {
    if (name.size() > kStringBytesMax || value.size() > kStringBytesMax) {
      return fail(Errc::TooLarge, fmt::format("header '{}' has over {} bytes, which MQTT cannot "
                                              "carry",
                                              name.substr(0, 60), kStringBytesMax));
    }
  }
  return {};
}

bool is_usable_id(std::string_view id, const Limits& limits) {
  return !id.empty() && id.size() <= limits.id_bytes_max &&
         std::none_of(id.begin(), id.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

}  // namespace

std::size_t MqttMessage::packet_bytes() const {
  // Fixed header 5, topic, packet id, property length 4, content type 3, expiry 5.
  std::size_t bytes = 5 + 2 + topic.size() + 2 + 4 + 3 + content_type.size() + 5 + payload.size();
  for (const auto& [name, value] : properties) bytes += 5 + name.size() + value.size();
  return bytes;
}

bool is_expired(const EventView& event, WallTime now) {
  return event.expires != WallTime{} && event.expires <= now;
}

Result<MqttMessage> to_outside(const EventView& event, const RouteOptions& route,
                               const NodeIdentity& node, WallTime now) {
  auto topic = rewrite_topic(route, node.name, event.topic, Limits{});
  if (!topic) return tl::unexpected(topic.error());
  MqttMessage message{.topic = std::move(*topic),
                      .payload = std::string(event.payload),
                      .content_type = {},
                      .properties = {},
                      .expiry_s = {}};
  if (route.protocol == MqttVersion::V311) return message;

  message.content_type = event.content_type;
  for (auto& pair : unpack_headers(event.headers)) {
    if (!is_own(pair.first)) message.properties.push_back(std::move(pair));
  }
  add_attributes(event, message, node, message.properties);
  message.properties.emplace_back(kPassedProperty, passed(event.headers, node.id));
  if (event.expires != WallTime{}) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(event.expires - now).count();
    message.expiry_s = static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, UINT32_MAX));
  }
  if (const auto ok = check_strings(message); !ok) return tl::unexpected(ok.error());
  return message;
}

bool has_passed(const MqttMessage& message, std::string_view node_id) {
  for (const auto& [name, value] : message.properties) {
    if (name != kPassedProperty) continue;
    std::string_view rest = value;
    for (;;) {
      const std::size_t comma = rest.find(',');
      if (rest.substr(0, comma) == node_id) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

Result<Event> from_outside(MqttMessage message, const RouteOptions& route, const NodeIdentity& node,
                           WallTime now, const Limits& limits) {
  auto topic = rewrite_topic(route, node.name, message.topic, limits);
  if (!topic) return tl::unexpected(topic.error());
  if (topic->starts_with('$')) {
    return fail(
        Errc::Invalid,
        fmt::format("'{}' is a topic of the node's own (set a `topic` without '$')", *topic));
  }
  Event event;
  event.topic = std::move(*topic);
  event.payload = std::move(message.payload);
  event.content_type = std::move(message.content_type);
  event.client = route_consumer(route.name);
  for (auto& [name, value] : message.properties) {
    if (name == "id" && event.id.empty() && is_usable_id(value, limits)) {
      event.id = std::move(value);
    } else if (name == "partitionkey" && event.key.empty()) {
      event.key = std::move(value);
    } else if (const auto time = parse_time(value, now);
               name == "time" && time && !value.starts_with('-')) {
      event.time = *time;
    } else {
      event.headers.emplace_back(std::move(name), std::move(value));
    }
  }
  if (message.expiry_s) event.expires = now + std::chrono::seconds(*message.expiry_s);
  return event;
}

}  // namespace marram
