// Sessions that outlive their connections, and the listener.
#include <doctest/doctest.h>

#include "tests/mqtt/listener_fixture.h"

namespace marram::mqtt {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/listener sessions");

void publish(const ListenerFixture& fixture, const std::string& payload) {
  RawClient writer(fixture.at);
  writer.connect("writer");
  writer.publish("a", payload, 1);
  REQUIRE(writer.next() == "puback id1");
}

TEST_CASE("a kept session receives what came while its client was away") {
  for (const Version version : {Version::V311, Version::V5}) {
    ListenerFixture fixture;
    {
      RawClient reader(fixture.at, version);
      CHECK(reader.connect("reader", false) == "connack 0");
      CHECK(reader.subscribe("a", 1) == "suback id101 1");
      reader.disconnect();
      CHECK(reader.next() == "end");
    }
    publish(fixture, "away");
    RawClient reader(fixture.at, version);
    CHECK(reader.connect("reader", false) == "connack 0 present");
    CHECK(reader.next() == "publish a away qos1 id1");
    publish(fixture, "here");
    CHECK(reader.next() == "publish a here qos1 id2");
  }
}

TEST_CASE("what was not acknowledged comes again with DUP, what was does not") {
  ListenerFixture fixture;
  {
    RawClient reader(fixture.at, Version::V311);
    reader.connect("reader", false);
    reader.subscribe("a", 1);
    publish(fixture, "1");
    publish(fixture, "2");
    CHECK(reader.next() == "publish a 1 qos1 id1");
    CHECK(reader.next() == "publish a 2 qos1 id2");
    reader.ack(1);
    reader.send("\xC0\x00"s);
    CHECK(reader.next() == "pingresp");
  }
  RawClient reader(fixture.at, Version::V311);
  CHECK(reader.connect("reader", false) == "connack 0 present");
  CHECK(reader.next() == "publish a 2 qos1 id1 dup");
  CHECK(reader.next(50ms) == "nothing");
}

TEST_CASE("kept sessions are there again after the listener has been away") {
  ListenerFixture fixture;
  {
    RawClient reader(fixture.at);
    reader.connect("reader", false);
    reader.subscribe("a", 1);
  }
  fixture.listener->close();
  fixture.open();
  publish(fixture, "after");
  RawClient reader(fixture.at);
  CHECK(reader.connect("reader", false) == "connack 0 present");
  CHECK(reader.next() == "publish a after qos1 id1");
}

TEST_CASE("a clean start forgets the kept session") {
  ListenerFixture fixture;
  {
    RawClient reader(fixture.at);
    reader.connect("reader", false);
    reader.subscribe("a", 1);
  }
  publish(fixture, "away");
  {
    RawClient reader(fixture.at);
    CHECK(reader.connect("reader", true) == "connack 0");
    CHECK(reader.next(50ms) == "nothing");
  }
  CHECK(fixture.bus.consumers()->empty());
  RawClient reader(fixture.at);
  CHECK(reader.connect("reader", false) == "connack 0");
}

TEST_CASE("a clean start takes over from a client that is here, and forgets its session") {
  ListenerFixture fixture;
  RawClient first(fixture.at);
  first.connect("reader", false);
  first.subscribe("a", 1);
  RawClient second(fixture.at);
  CHECK(second.connect("reader", true) == "connack 0");
  CHECK(first.next() == "disconnect 8e");
  CHECK(fixture.bus.consumers()->empty());
}

TEST_CASE("taking over a kept session goes on where the other connection was") {
  ListenerFixture fixture;
  RawClient first(fixture.at);
  first.connect("reader", false);
  first.subscribe("a", 1);
  publish(fixture, "1");
  CHECK(first.next() == "publish a 1 qos1 id1");
  RawClient second(fixture.at);
  CHECK(second.connect("reader", false) == "connack 0 present");
  CHECK(second.next() == "publish a 1 qos1 id1 dup");
  CHECK(first.next() == "disconnect 8e");
}

TEST_CASE("a session that is over its time is removed") {
  ListenerFixture fixture;
  std::string expiry;
  PropertyWriter(expiry).number(PropertyId::SessionExpiry, 1);
  {
    RawClient reader(fixture.at);
    reader.connect({.client_id = "reader", .properties = Properties(expiry)});
    reader.subscribe("a", 1);
    CHECK(fixture.bus.consumers()->size() == 1);
  }
  CHECK(eventually([&] { return fixture.bus.consumers()->empty(); }));
  RawClient reader(fixture.at);
  CHECK(reader.connect("reader", false) == "connack 0");
}

TEST_CASE("a session that ends with its connection leaves no consumer") {
  ListenerFixture fixture;
  {
    RawClient reader(fixture.at, Version::V311);
    reader.connect("reader", true);
    reader.subscribe("a", 1);
  }
  CHECK(eventually([&] { return fixture.reports("\"clients\":0"); }));
  CHECK(fixture.bus.consumers()->empty());
  CHECK(fixture.reports("\"sessions\":0"));
}

TEST_CASE("sessions over the limit are refused") {
  MqttOptions options;
  options.limits.sessions_max = 1;
  ListenerFixture fixture(options);
  RawClient first(fixture.at);
  CHECK(first.connect("c1", false) == "connack 0");
  RawClient second(fixture.at);
  CHECK(second.connect("c2", false) == "connack 97");
  RawClient third(fixture.at, Version::V311);
  CHECK(third.connect("c3", false) == "connack 3");
  RawClient clean(fixture.at);
  CHECK(clean.connect("c4", true) == "connack 0");
}

TEST_CASE("DISCONNECT that shortens the expiry to nothing forgets the session") {
  ListenerFixture fixture;
  RawClient reader(fixture.at);
  reader.connect("reader", false);
  reader.subscribe("a", 1);
  std::string expiry;
  PropertyWriter(expiry).number(PropertyId::SessionExpiry, 0);
  std::string bytes;
  encode(Farewell{.properties = Properties(expiry)}, Version::V5, bytes);
  reader.send(bytes);
  CHECK(reader.next() == "end");
  CHECK(eventually([&] { return fixture.bus.consumers()->empty(); }));
}

TEST_CASE("a session may subscribe again before its old consumer is gone") {
  ListenerFixture fixture;
  RawClient reader(fixture.at, Version::V311);
  reader.connect("reader", false);
  reader.subscribe("a", 1);
  fixture.bus.set_silent(true);
  std::string bytes;
  encode(Unsubscribe{.packet_id = 1, .filters = {"a"}, .properties = {}}, Version::V311, bytes);
  encode(Subscribe{.packet_id = 2, .filters = {{.filter = "b", .qos = 1}}, .properties = {}},
         Version::V311, bytes);
  reader.send(bytes);
  CHECK(reader.next() == "unsuback id1");
  CHECK(reader.next(50ms) == "nothing");
  fixture.bus.set_silent(false);
  CHECK(reader.next() == "suback id2 1");
  CHECK(fixture.bus.consumers()->front().filters == std::vector<std::string>{"b"});
}

TEST_CASE("a clean start waits until the kept session is gone") {
  ListenerFixture fixture;
  {
    RawClient reader(fixture.at);
    reader.connect("reader", false);
    reader.subscribe("a", 1);
  }
  REQUIRE(eventually([&] { return fixture.reports("\"clients\":0"); }));
  fixture.bus.set_silent(true);
  RawClient reader(fixture.at);
  std::string bytes;
  encode(Connect{.version = Version::V5, .client_id = "reader", .properties = {}}, bytes);
  reader.send(bytes);
  CHECK(reader.next(50ms) == "nothing");
  fixture.bus.set_silent(false);
  CHECK(reader.next() == "connack 0");
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
