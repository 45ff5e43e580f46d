#include <doctest/doctest.h>

#include "tests/mqtt/raw_client.h"
#include "tests/mqtt/session_script.h"

namespace marram::mqtt {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/session flow");

std::string property(PropertyId id, std::uint32_t value) {
  std::string out;
  PropertyWriter(out).number(id, value);
  return out;
}

TEST_CASE("PUBACK comes after the store's answer, not before") {
  SessionScript script(Version::V311);
  script.enter();
  script.publish("a", 7);
  CHECK(script.words() == "store a");
  script.stored(7);
  CHECK(script.words() == "puback id7");
  script.publish("b", 0);
  CHECK(script.words() == "store b");
  script.stored(0);
  CHECK(script.words().empty());
}

TEST_CASE("what the store refuses is said in MQTT 5, and ends a 3.1.1 connection") {
  SessionScript modern;
  modern.enter();
  modern.publish("a", 7);
  modern.words();
  modern.stored(7, reason_of(fail(Errc::Full, "")));
  CHECK(modern.words() == "puback id7 97");
  SessionScript old(Version::V311);
  old.enter();
  old.publish("a", 7);
  old.words();
  old.stored(7, reason_of(fail(Errc::Io, "")));
  CHECK(old.words() == "close");
}

TEST_CASE("publishes that cannot be ours are refused") {
  struct Case {
    std::string what;
    Publish packet;
    std::string v5;
    std::string v311;
  };
  const std::string alias = property(PropertyId::TopicAlias, 1);
  const std::string identifier = property(PropertyId::SubscriptionIdentifier, 1);
  const std::vector<Case> cases = {
      {"QoS 2",
       {.topic = "a", .packet_id = 1, .qos = 2, .properties = {}},
       "disconnect 9b, close lingering",
       "close"},
      {"retain",
       {.topic = "a", .packet_id = 1, .qos = 1, .retain = true, .properties = {}},
       "disconnect 9a, close lingering",
       "store a"},
      {"wildcard",
       {.topic = "a/+", .packet_id = 1, .qos = 1, .properties = {}},
       "puback id1 90",
       "close"},
      {"own topic",
       {.topic = "$SYS/a", .packet_id = 1, .qos = 1, .properties = {}},
       "puback id1 87",
       "close"},
      {"own topic at QoS 0", {.topic = "$SYS/a", .properties = {}}, "", "close"},
      {"forbidden",
       {.topic = "secret/a", .packet_id = 1, .qos = 1, .properties = {}},
       "puback id1 87",
       "close"},
      {"alias",
       {.topic = "a", .properties = Properties(alias)},
       "disconnect 94, close lingering",
       "store a"},
      {"subscription identifier",
       {.topic = "a", .properties = Properties(identifier)},
       "disconnect 82, close lingering",
       "store a"},
  };
  for (const Case& wanted : cases) {
    for (const Version version : {Version::V5, Version::V311}) {
      CAPTURE(wanted.what);
      SessionScript script(version);
      script.connect();
      script.authenticated(std::make_shared<const Access>(std::vector<std::string>{"a/#", "$SYS/#"},
                                                          std::vector<std::string>{}));
      script.claimed();
      script.words();
      script.publish(wanted.packet);
      CHECK(script.words() == (version == Version::V5 ? wanted.v5 : wanted.v311));
    }
  }
}

TEST_CASE("a refusal waits for the answers before it") {
  SessionScript script;
  script.enter();
  script.publish("a", 1);
  script.publish("$no", 2);
  CHECK(script.words() == "store a");
  script.stored(1);
  CHECK(script.words() == "puback id1, puback id2 87");
}

TEST_CASE("more unacknowledged publishes than our Receive Maximum end an MQTT 5 connection") {
  SessionScript script(Version::V5, {.receive_maximum = 2});
  script.enter();
  script.publish("a", 1);
  script.publish("a", 2);
  script.publish("b", 0);
  CHECK(script.words() == "store a, store a, store b");
  script.publish("a", 3);
  CHECK(script.words() == "disconnect 93, close lingering");
  SessionScript old(Version::V311, {.receive_maximum = 2});
  old.enter();
  for (const std::uint16_t id : {1, 2, 3}) old.publish("a", id);
  CHECK(old.words() == "store a, store a, store a");  // the listener stops reading
}

TEST_CASE("SUBACK comes when the subscription is open") {
  SessionScript script;
  script.enter();
  script.subscribe("a/#", 2);
  CHECK(script.words() == "open [a/#]");
  script.opened();
  CHECK(script.words() == "suback id1 1");
  script.subscribe("b", 0);
  CHECK(script.words() == "change [a/# b]");
  script.changed();
  CHECK(script.words() == "suback id2 0");
}

TEST_CASE("requests that come meanwhile are made true together") {
  SessionScript script;
  script.enter();
  script.subscribe("a", 1);
  script.subscribe("b", 1);
  script.unsubscribe("a");
  script.unsubscribe("z");
  CHECK(script.words() == "open [a]");
  script.opened();
  CHECK(script.words() == "suback id1 1, change [b]");
  script.changed();
  CHECK(script.words() == "suback id2 1, unsuback id3 0, unsuback id4 11");
}

TEST_CASE("filters that cannot be are refused one by one") {
  SessionScript script;
  script.connect();
  script.authenticated(
      std::make_shared<const Access>(std::vector<std::string>{}, std::vector<std::string>{"a/#"}));
  script.claimed();
  script.words();
  std::string bytes;
  encode(Subscribe{.packet_id = 9,
                   .filters = {{.filter = "$share/g/a"},
                               {.filter = "a/#/b"},
                               {.filter = "b"},
                               {.filter = "a/b", .qos = 1}},
                   .properties = {}},
         Version::V5, bytes);
  script.raw(bytes);
  script.opened();
  CHECK(script.words() == "suback id9 9e 8f 87 1, open [a/b]");

  SessionScript old(Version::V311);
  old.enter();
  old.subscribe("a#", 1);
  CHECK(old.words() == "suback id1 80");
}

TEST_CASE("more filters than the limit are refused") {
  SessionScript script;
  script.rules.limits.filters_per_consumer_max = 1;
  script.enter();
  script.subscribe("a", 1);
  script.opened();
  script.words();
  script.subscribe("b", 1);
  CHECK(script.words() == "suback id2 97");
  script.subscribe("a", 0);
  CHECK(script.words() == "change [a]");
}

TEST_CASE("a subscription that fails leaves everything as it was") {
  SessionScript script;
  script.enter();
  script.subscribe("a", 1);
  script.ended(Errc::TooLarge);
  CHECK(script.words() == "suback id1 97, open [a]");
  CHECK(script.session.subscriptions().empty());
  script.subscribe("b", 1);
  script.opened();
  script.words();
  script.subscribe("c", 1);
  script.changed(fail(Errc::Io, "disk"));
  CHECK(script.words() == "suback id3 80, change [b c]");
  CHECK(script.session.subscriptions().size() == 1);
}

TEST_CASE("without filters the subscription is left; a kept session's consumer goes with it") {
  SessionScript script(Version::V311);
  script.enter({.clean_start = false, .client_id = "c1"});
  script.subscribe("a", 1);
  CHECK(script.words() == "open mqtt:c1[a]");
  script.opened();
  script.words();
  script.unsubscribe("a");
  CHECK(script.words() == "unsuback id2, leave and forget");
  script.subscribe("b", 1);
  CHECK(script.words() == "open mqtt:c1[b]");
}

TEST_CASE("QoS 1 is settled by PUBACK, QoS 0 by the socket") {
  SessionScript script;
  script.enter();
  script.subscribe("a/#", 1);
  script.subscribe("b/#", 0);
  script.opened();
  script.changed();
  script.words();
  script.deliver({.topic = "a/1"}, 1);
  script.deliver({.topic = "b/1"}, 2);
  CHECK(script.words() == "publish a/1  qos1 id1, publish b/1 ");
  script.sent();
  CHECK(script.words() == "settle 2");
  script.ack(1, Reason::QuotaExceeded);
  CHECK(script.words() == "settle 1");
  script.ack(1);
  CHECK(script.words().empty());
}

TEST_CASE("overlapping filters give one copy, at the highest QoS, with all identifiers") {
  SessionScript script;
  script.enter();
  script.subscribe("a/#", 0, 5);
  script.subscribe("a/+", 1, 3);
  script.opened();
  script.changed();
  script.words();
  script.deliver({.topic = "a/1"}, 1);
  Frame frame;
  const std::string bytes = script.bytes();
  REQUIRE(read_frame(bytes, kVarintMax, frame) == FrameState::Ready);
  Publish packet;
  REQUIRE(decode(frame, Version::V5, packet) == Reason::Success);
  CHECK(packet.qos == 1);
  PropertyReader reader(packet.properties);
  CHECK(reader.next()->number == 3);
  CHECK(reader.next()->number == 5);
}

TEST_CASE("no local keeps a client's own events from it") {
  SessionScript script;
  script.enter();
  script.subscribe("a", 1, 0, true);
  script.opened();
  script.words();
  script.deliver({.topic = "a", .client = "c1"}, 1);
  CHECK(script.words() == "settle 1");
  script.deliver({.topic = "a", .client = "c2"}, 2);
  CHECK(script.words() == "publish a  qos1 id1");
}

TEST_CASE("expired events, and those over the client's packet size, are settled unsent") {
  SessionScript script;
  const std::string small = property(PropertyId::MaximumPacketSize, 200);
  script.enter({.client_id = "c1", .properties = Properties(small)});
  script.subscribe("a", 1);
  script.opened();
  script.words();
  script.deliver({.topic = "a", .expires = script.now.wall}, 1);
  script.deliver({.topic = "a", .payload = std::string(200, 'x')}, 2);
  script.deliver({.topic = "a", .payload = "fits"}, 3);
  CHECK(script.words() == "publish a fits qos1 id1, settle 1, settle 2");
  CHECK(script.tally.expired == 1);
  CHECK(script.tally.too_large == 1);
}

TEST_CASE("a broken packet ends the connection with its reason, at once") {
  SessionScript script;
  script.enter();
  script.raw("\x32\x03\x00\x05t"s);
  CHECK(script.words() == "disconnect 81, close lingering");
  script.publish("a", 1);
  script.stored(1);
  CHECK(script.words().empty());
  SessionScript large(Version::V5, {.packet_bytes_max = 1000});
  large.enter();
  large.raw("\x30\xE8\x07"s);
  CHECK(large.words() == "disconnect 95, close lingering");
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
