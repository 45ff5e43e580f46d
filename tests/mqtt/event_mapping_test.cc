#include "gateway/mqtt/event_mapping.h"

#include <doctest/doctest.h>

#include "tests/mqtt/raw_client.h"

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/event mapping");

constexpr WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 24)};
using std::chrono::seconds;

Reason take(const std::string& properties, EventView& event, std::string& headers) {
  const Publish packet{.topic = "a", .payload = "x", .properties = Properties(properties)};
  return to_event(packet, kNow, Limits(), headers, event);
}

// "name=value" of all that an event becomes on its way out.
std::string out_words(const EventView& event, std::vector<std::uint32_t> ids = {}) {
  std::string raw;
  put_properties(event, kNow, ids, raw);
  std::string words;
  PropertyReader reader(raw);
  while (const auto property = reader.next()) {
    words += std::to_string(static_cast<int>(property->id)) + ":";
    words += std::string(property->text) + std::string(property->value);
    if (property->number != 0) words += std::to_string(property->number);
    words += ' ';
  }
  CHECK(reader.ok());
  return words;
}

TEST_CASE("what MQTT 5 says of a message goes into the event and comes out again") {
  std::string properties;
  PropertyWriter(properties)
      .number(PropertyId::PayloadFormat, 1)
      .number(PropertyId::MessageExpiry, 60)
      .text(PropertyId::ContentType, "application/json")
      .text(PropertyId::ResponseTopic, "answers/1")
      .text(PropertyId::CorrelationData, std::string("\x00\xFF", 2))
      .user("traceparent", "00-1-2-00")
      .user("a", "1")
      .user("a", "2")
      .user("id", "order-7")
      .user("partitionkey", "pump 3")
      .user("time", "2026-11-23T10:00:00Z");
  EventView event;
  std::string headers;

  REQUIRE(take(properties, event, headers) == Reason::Success);

  CHECK(event.content_type == "application/json");
  CHECK(event.expires == kNow + seconds(60));
  CHECK(event.id == "order-7");
  CHECK(event.key == "pump 3");
  CHECK(iso_text(event.time) == "2026-11-23T10:00:00.000000Z");
  CHECK(find_header(headers, "mqtt-response-topic") == "answers/1");
  CHECK(find_header(headers, "mqtt-correlation-data") == "AP8=");
  CHECK(find_header(headers, "mqtt-payload-format") == "1");
  CHECK(unpack_headers(headers).size() == 6);

  event.expires = kNow + std::chrono::milliseconds(1500);
  CHECK(out_words(event, {9}) ==
        "11:9 2:2 3:application/json 1:1 8:answers/1 9:" + std::string("\x00\xFF", 2) +
            " 38:traceparent00-1-2-00 38:a1 38:a2 38:idorder-7 "
            "38:time2026-11-23T10:00:00.000000Z 38:partitionkeypump 3 ");
}

TEST_CASE("a device's clock that cannot be right does not count, and says so") {
  for (const char* time : {"1970-01-01T00:00:10Z", "2027-01-01T00:00:00Z"}) {
    std::string properties;
    PropertyWriter(properties).user("time", time);
    EventView event;
    std::string headers;
    REQUIRE(take(properties, event, headers) == Reason::Success);
    CHECK(event.time == WallTime());
    CHECK(find_header(headers, "marramclock") == "suspect");
  }
}

TEST_CASE("limits of events are told as reasons") {
  EventView event;
  std::string headers;
  std::string many;
  for (int i = 0; i < 65; ++i) PropertyWriter(many).user("n", "v");
  CHECK(take(many, event, headers) == Reason::ImplementationSpecific);
  std::string long_id;
  PropertyWriter(long_id).user("id", std::string(300, 'x'));
  CHECK(take(long_id, event, headers) == Reason::ImplementationSpecific);
  const std::string topic(2000, 't');
  CHECK(to_event(Publish{.topic = topic, .properties = {}}, kNow, Limits(), headers, event) ==
        Reason::TopicInvalid);
  Limits limits;
  limits.payload_bytes_max = 3;
  CHECK(to_event(Publish{.topic = "a", .payload = "four", .properties = {}}, kNow, limits, headers,
                 event) == Reason::ImplementationSpecific);
}

TEST_CASE("headers that MQTT cannot carry as they are go out as they can, or not at all") {
  EventView event;
  event.topic = "a";
  event.id = "i";
  event.time = kNow;
  std::string headers;
  (void)append_header(headers, "mqtt-response-topic", "a/#");
  (void)append_header(headers, "mqtt-correlation-data", "no base64!");
  (void)append_header(headers, "bad", "\xFF");
  (void)append_header(headers, "mqtt-response-topic", "good");
  (void)append_header(headers, "mqtt-response-topic", "twice");
  event.headers = headers;
  CHECK(out_words(event) ==
        "38:mqtt-response-topica/# 38:mqtt-correlation-datano base64! 8:good "
        "38:mqtt-response-topictwice 38:idi 38:time2026-11-24T00:00:00.000000Z ");
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
