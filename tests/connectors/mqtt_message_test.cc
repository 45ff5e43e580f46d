#include "gateway/connectors/mqtt_message.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/mqtt_message");

using namespace std::chrono_literals;

const WallTime kNow = WallTime(Duration(1'790'000'000'000'000));
const NodeIdentity kNode{"gw 3", "node-a"};

RouteOptions out_route(const std::string& topic = "") {
  return {.name = "cloud", .from = {"#"}, .to = "mqtt://h", .topic = topic};
}

RouteOptions in_route(const std::string& from, const std::string& topic) {
  return {.name = "commands",
          .direction = RouteDirection::In,
          .from = {from},
          .to = "mqtt://h",
          .topic = topic};
}

// The message that `event` becomes; `batch` keeps its bytes.
MqttMessage sent(EventBatch& batch, const Event& event, const RouteOptions& route) {
  UuidMaker ids;
  batch.add(event, *pack_headers(event.headers), kNow, ids);
  auto message = to_outside(batch.events().back(), route, kNode, kNow);
  REQUIRE(message);
  return *message;
}

std::string property(const MqttMessage& message, const std::string& name) {
  std::string all;
  for (const auto& [key, value] : message.properties) {
    if (key == name) all += (all.empty() ? "" : "|") + value;
  }
  return all;
}

TEST_CASE("an event goes out with its CloudEvents attributes as user properties") {
  EventBatch batch;

  const MqttMessage message = sent(batch,
                                   {.topic = "plant/1",
                                    .payload = "21.5",
                                    .id = "my-id",
                                    .key = "k",
                                    .content_type = "text/plain",
                                    .client = "dev/1",
                                    .headers = {{"a", "1"}, {"a", "2"}, {"traceparent", "00-x"}},
                                    .time = kNow - 1s,
                                    .expires = kNow + 1500ms},
                                   out_route("acme/{topic}"));

  CHECK(message.topic == "acme/plant/1");
  CHECK(message.payload == "21.5");
  CHECK(message.content_type == "text/plain");
  CHECK(message.expiry_s == 2);
  CHECK(property(message, "id") == "my-id");
  CHECK(property(message, "specversion") == "1.0");
  CHECK(property(message, "type") == "io.marram.event");
  CHECK(property(message, "source") == "//marram/gw%203/dev%2F1");
  CHECK(property(message, "subject") == "plant/1");
  CHECK(property(message, "partitionkey") == "k");
  CHECK(property(message, "time") == iso_text(kNow - 1s));
  CHECK(property(message, "a") == "1|2");
  CHECK(property(message, "traceparent") == "00-x");
  CHECK(property(message, "marramnode") == "node-a");
}

TEST_CASE("attributes that the publisher gave go on unchanged, and ours are not doubled") {
  EventBatch batch;

  const MqttMessage message =
      sent(batch,
           {.topic = "a",
            .id = "x",
            .headers = {{"source", "//s"}, {"type", "t"}, {"id", "other"}, {"marramnode", "n1"}}},
           out_route());

  CHECK(property(message, "source") == "//s");
  CHECK(property(message, "type") == "t");
  CHECK(property(message, "id") == "x");
  CHECK(property(message, "subject") == "");
  CHECK(property(message, "partitionkey") == "");
  CHECK(property(message, "marramnode") == "n1,node-a");
}

TEST_CASE("MQTT 3.1.1 carries topic and payload only") {
  EventBatch batch;
  RouteOptions route = out_route();
  route.protocol = MqttVersion::V311;

  const MqttMessage message =
      sent(batch, {.topic = "a", .payload = "p", .content_type = "t"}, route);

  CHECK(message.payload == "p");
  CHECK(message.content_type == "");
  CHECK(message.properties.empty());
}

TEST_CASE("the packet's size is not estimated too low") {
  EventBatch batch;
  const MqttMessage message =
      sent(batch, {.topic = "abc", .payload = "12345", .content_type = "text/plain"}, out_route());

  std::size_t properties = 3 + 10;
  for (const auto& [name, value] : message.properties) properties += 5 + name.size() + value.size();
  const std::size_t length = 2 + 3 + 2 + 2 + properties + 5;  // two bytes of property length
  CHECK(message.packet_bytes() >= length + 3);
  CHECK(message.packet_bytes() <= length + 16);
}

TEST_CASE("a message that has been here is known by the list of nodes it has passed") {
  const auto passed = [](const std::string& list) {
    MqttMessage message;
    message.properties = {{"x", "node-a"}, {"marramnode", list}};
    return has_passed(message, "node-a");
  };

  CHECK(passed("node-a"));
  CHECK(passed("b,node-a"));
  CHECK(passed("node-a,b"));
  CHECK_FALSE(passed(""));
  CHECK_FALSE(passed("node-ab,b"));
  CHECK_FALSE(passed("b,xnode-a"));
}

TEST_CASE("a message becomes an event with the id, key and time that it carries") {
  MqttMessage message{.topic = "acme/gw/cmd/valve/1",
                      .payload = "open",
                      .content_type = "t",
                      .properties = {{"id", "i"},
                                     {"partitionkey", "k"},
                                     {"marramnode", "b"},
                                     {"time", iso_text(kNow - 1h)},
                                     {"x", "1"}},
                      .expiry_s = 60};

  const auto event =
      from_outside(message, in_route("acme/gw/cmd/#", "cmd/{rest}"), kNode, kNow, Limits{});

  REQUIRE(event);
  CHECK(event->topic == "cmd/valve/1");
  CHECK(event->payload == "open");
  CHECK(event->content_type == "t");
  CHECK(event->id == "i");
  CHECK(event->key == "k");
  CHECK(event->time == kNow - 1h);
  CHECK(event->expires == kNow + 60s);
  CHECK(event->client == "route:commands");
  CHECK(event->headers == HeaderPairs{{"marramnode", "b"}, {"x", "1"}});
}

TEST_CASE("an id or time of a stranger that cannot be ours stays a header") {
  MqttMessage message{.topic = "a/b",
                      .payload = {},
                      .content_type = {},
                      .properties = {{"id", std::string(300, 'x')}, {"time", "-1h"}, {"id", ""}},
                      .expiry_s = {}};

  const auto event = from_outside(message, in_route("a/#", ""), kNode, kNow, Limits{});

  REQUIRE(event);
  CHECK(event->id == "");
  CHECK(event->time == WallTime{});
  CHECK(event->headers.size() == 3);
}

TEST_CASE("a message of a topic that was not asked for, or that is the node's own, is refused") {
  const MqttMessage message{
      .topic = "$SYS/x", .payload = {}, .content_type = {}, .properties = {}, .expiry_s = {}};

  CHECK_FALSE(from_outside(message, in_route("a/#", ""), kNode, kNow, Limits{}));
  CHECK_FALSE(from_outside(message, in_route("$SYS/#", ""), kNode, kNow, Limits{}));
  CHECK(from_outside(message, in_route("$SYS/#", "sys/{rest}"), kNode, kNow, Limits{}));
}

TEST_CASE("an event is expired from the moment on that it names") {
  EventView view;
  CHECK_FALSE(is_expired(view, kNow));
  view.expires = kNow;
  CHECK(is_expired(view, kNow));
  view.expires = kNow + 1us;
  CHECK_FALSE(is_expired(view, kNow));
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
