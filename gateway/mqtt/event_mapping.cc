#include "gateway/mqtt/event_mapping.h"

#include <sodium.h>

#include <algorithm>
#include <optional>

#include "core/event/topic.h"

namespace marram::mqtt {

namespace {

constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;

std::string to_base64(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kBase64);
  text.pop_back();  // the NUL that libsodium writes
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, &end, kBase64) != 0 ||
      end != text.data() + text.size() || size > 0xFFFF) {
    return {};
  }
  bytes.resize(size);
  return bytes;
}

// A device's clock that cannot be right says so and does not count.
void take_time(WallTime time, WallTime now, std::string& headers, EventView& out) {
  constexpr WallTime kYear2020{std::chrono::sys_days(std::chrono::year(2020) / 1 / 1)};
  if (time < kYear2020 || time > now + std::chrono::days(1)) {
    (void)append_header(headers, kClock, "suspect");
  } else {
    out.time = time;
  }
}

void take_user_property(const Property& property, WallTime now, std::string& headers,
                        EventView& out) {
  if (property.text == "id" && out.id.empty() && !property.value.empty()) {
    out.id = property.value;
    return;
  }
  if (property.text == "partitionkey" && out.key.empty() && !property.value.empty()) {
    out.key = property.value;
    return;
  }
  if (property.text == "time" && out.time == WallTime() && !property.value.starts_with('-')) {
    if (const auto time = parse_time(property.value, now)) {
      take_time(*time, now, headers, out);
      return;
    }
  }
  // Both come with two bytes of length, so they fit a header.
  (void)append_header(headers, property.text, property.value);
}

Reason take_properties(const Properties& properties, WallTime now, std::string& headers,
                       EventView& out) {
  PropertyReader reader(properties);
  while (const auto property = reader.next()) {
    switch (property->id) {
      case PropertyId::TopicAlias:
        return Reason::TopicAliasInvalid;
      case PropertyId::SubscriptionIdentifier:
        return Reason::ProtocolError;
      case PropertyId::ContentType:
        out.content_type = property->text;
        break;
      case PropertyId::MessageExpiry:
        out.expires = now + std::chrono::seconds(property->number);
        break;
      case PropertyId::ResponseTopic:
        (void)append_header(headers, kResponseTopic, property->text);
        break;
      case PropertyId::CorrelationData:
        if (!append_header(headers, kCorrelationData, to_base64(property->text))) {
          return Reason::ImplementationSpecific;
        }
        break;
      case PropertyId::PayloadFormat:
        if (property->number == 1) (void)append_header(headers, kPayloadFormat, "1");
        break;
      case PropertyId::UserProperty:
        take_user_property(*property, now, headers, out);
        break;
      default:
        break;
    }
  }
  return Reason::Success;
}

// Writes a header that stands for a property of MQTT; false: it is none, or is
// nothing that the property may be.
bool put_known(std::string_view name, std::string_view value, PropertyWriter& writer,
               unsigned& seen) {
  const auto once = [&](unsigned mark) {
    const bool first = (seen & mark) == 0;
    seen |= mark;
    return first;
  };
  if (name == kResponseTopic) {
    const bool good = !value.empty() && value.find_first_of("+#") == std::string_view::npos &&
                      is_mqtt_text(value);
    if (!good || !once(1)) return false;
    writer.text(PropertyId::ResponseTopic, value);
    return true;
  }
  if (name == kCorrelationData) {
    const auto bytes = from_base64(value);
    if (!bytes || !once(2)) return false;
    writer.text(PropertyId::CorrelationData, *bytes);
    return true;
  }
  if (name == kPayloadFormat) {
    if (value != "1" || !once(4)) return false;
    writer.number(PropertyId::PayloadFormat, 1);
    return true;
  }
  return false;
}

std::uint32_t seconds_left(WallTime expires, WallTime now) {
  const auto left = std::chrono::ceil<std::chrono::seconds>(expires - now).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, UINT32_MAX));
}

}  // namespace

Reason to_event(const Publish& packet, WallTime now, const Limits& limits, std::string& headers,
                EventView& out) {
  out = EventView();
  headers.clear();
  if (!packet.properties.empty()) {
    const Reason reason = take_properties(packet.properties, now, headers, out);
    if (reason != Reason::Success) return reason;
  }
  out.topic = packet.topic;
  out.payload = packet.payload;
  out.headers = headers;
  if (!check_topic(out.topic, limits)) return Reason::TopicInvalid;
  if (out.topic.front() == '$') return Reason::NotAuthorized;
  if (packet.properties.empty() && out.payload.size() <= limits.payload_bytes_max) {
    return Reason::Success;
  }
  return check_event(out, limits) ? Reason::Success : Reason::ImplementationSpecific;
}

void put_properties(const EventView& event, WallTime now,
                    std::span<const std::uint32_t> identifiers, std::string& out) {
  PropertyWriter writer(out);
  for (const std::uint32_t id : identifiers) writer.number(PropertyId::SubscriptionIdentifier, id);
  if (event.expires != WallTime()) {
    writer.number(PropertyId::MessageExpiry, seconds_left(event.expires, now));
  }
  if (!event.content_type.empty() && is_mqtt_text(event.content_type)) {
    writer.text(PropertyId::ContentType, event.content_type);
  }
  unsigned seen = 0;
  HeaderReader headers(event.headers);
  while (const auto header = headers.next()) {
    if (put_known(header->first, header->second, writer, seen)) continue;
    if (!is_mqtt_text(header->first) || !is_mqtt_text(header->second)) continue;
    writer.user(header->first, header->second);
  }
  writer.user("id", event.id_text());
  writer.user("time", iso_text(event.time));
  if (!event.key.empty() && is_mqtt_text(event.key)) writer.user("partitionkey", event.key);
}

}  // namespace marram::mqtt
