#include "gateway/mqtt/listener.h"

#include <doctest/doctest.h>

#include "tests/mqtt/listener_fixture.h"

namespace marram::mqtt {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/listener");

constexpr auto kPing = "\xC0\x00";

TEST_CASE("a publish is stored and acknowledged, in both versions") {
  ListenerFixture fixture;
  for (const Version version : {Version::V311, Version::V5}) {
    RawClient client(fixture.at, version);
    CHECK(client.connect("c1") == "connack 0");

    client.publish("plant/1/temp", "21.5", 7);

    CHECK(client.next() == "puback id7");
    CHECK(fixture.bus.events().back().topic == "plant/1/temp");
    CHECK(fixture.bus.events().back().payload == "21.5");
    CHECK(fixture.bus.events().back().client == "c1");
  }
}

TEST_CASE("what one client publishes another one receives") {
  ListenerFixture fixture;
  RawClient reader(fixture.at);
  reader.connect("reader");
  CHECK(reader.subscribe("plant/#", 1) == "suback id101 1");
  RawClient writer(fixture.at, Version::V311);
  writer.connect("writer");

  writer.publish("plant/1/temp", "a", 0);
  writer.publish("other", "b", 0);
  writer.publish("plant", "c", 0);

  CHECK(reader.next() == "publish plant/1/temp a qos1 id1");
  CHECK(reader.next() == "publish plant c qos1 id2");
}

TEST_CASE("packets that are sent without waiting for answers are all answered, in order") {
  ListenerFixture fixture;
  RawClient client(fixture.at, Version::V311);
  std::string bytes;
  encode(Connect{.client_id = "c1"}, bytes);
  encode(Subscribe{.packet_id = 1, .filters = {{.filter = "a", .qos = 1}}}, Version::V311, bytes);
  encode(Publish{.topic = "b", .payload = "x", .packet_id = 2, .qos = 1}, Version::V311, bytes);
  bytes += "\xC0\x00"s;
  // Byte by byte, so that each packet comes in pieces.
  for (const char byte : bytes) client.send({&byte, 1});

  CHECK(client.next() == "connack 0");
  std::string rest = client.next() + ", " + client.next() + ", " + client.next();
  CHECK(rest.find("suback id1 1") != std::string::npos);
  CHECK(rest.find("puback id2") != std::string::npos);
  CHECK(rest.find("pingresp") != std::string::npos);
}

TEST_CASE("nothing is acknowledged before the store has answered") {
  ListenerFixture fixture;
  RawClient client(fixture.at);
  client.connect("c1");
  fixture.bus.set_silent(true);
  client.publish("a", "x", 1);
  client.send({kPing, 2});
  CHECK(client.next() == "pingresp");
  CHECK(client.next(50ms) == "nothing");
  fixture.bus.set_silent(false);
  CHECK(client.next() == "puback id1");
}

TEST_CASE("a second connection of a client takes over from the first") {
  ListenerFixture fixture;
  RawClient first(fixture.at);
  first.connect("c1");
  first.subscribe("a", 1);
  RawClient second(fixture.at);
  CHECK(second.connect("c1") == "connack 0");
  CHECK(first.next() == "disconnect 8e");
  CHECK(first.next() == "end");
  second.publish("a", "x", 1);
  CHECK(second.next() == "puback id1");
  CHECK(fixture.reports("\"clients\":1,"));
}

TEST_CASE("a full store is told to MQTT 5, and holds MQTT 3.1.1 back until there is room") {
  ListenerFixture fixture;
  RawClient modern(fixture.at);
  modern.connect("modern");
  RawClient old(fixture.at, Version::V311);
  old.connect("old");

  fixture.bus.set_full(true);
  modern.publish("m", "1", 1);
  CHECK(modern.next() == "puback id1 97");
  for (const std::uint16_t id : {1, 2, 3}) old.publish("o", std::to_string(id), id);
  old.publish("o", "qos0", 0);
  CHECK(old.next(100ms) == "nothing");
  old.publish("o", "4", 4);
  old.send({kPing, 2});
  CHECK(old.next() == "pingresp");
  CHECK(fixture.reports("\"held_back\":1"));

  fixture.bus.set_full(false);
  for (const char* id : {"1", "2", "3", "4"}) CHECK(old.next() == "puback id"s + id);
  std::string stored;
  for (const Event& event : fixture.bus.events()) stored += event.payload + " ";
  CHECK(stored == "1 2 3 qos0 4 ");
  old.publish("o", "5", 5);
  CHECK(old.next() == "puback id5");
  CHECK(eventually([&] { return fixture.reports("\"held_back\":0"); }));
}

TEST_CASE("a store that takes no more makes everybody wait, and loses nothing") {
  ListenerFixture fixture;
  RawClient client(fixture.at);
  client.connect("c1");
  fixture.bus.set_overloaded(true);
  client.publish("a", "1", 1);
  client.publish("a", "2", 2);
  CHECK(client.next(50ms) == "nothing");
  fixture.bus.set_overloaded(false);
  CHECK(client.next() == "puback id1");
  CHECK(client.next() == "puback id2");
}

TEST_CASE("a stranger that says nothing is left, with its bytes unread") {
  MqttOptions options;
  options.limits.connect_within = 1s;
  ListenerFixture fixture(options);
  RawClient silent(fixture.at);
  RawClient half(fixture.at);
  half.send("\x10\x50");
  CHECK(silent.next() == "end");
  CHECK(half.next() == "end");
}

TEST_CASE("what is too large is told before it is sent, and the reason arrives") {
  MqttOptions options;
  options.limits.packet_bytes_max = 1000;
  ListenerFixture fixture(options);
  RawClient client(fixture.at);
  client.connect("c1");
  // The client goes on sending; it still reads why.
  client.send("\x30\xFF\xFF\x03" + std::string(60'000, 'x'));
  CHECK(client.next() == "disconnect 95");
  CHECK(client.next() == "end");
  RawClient stranger(fixture.at);
  stranger.send("\x10\xFF\xFF\xFF\x7F");
  CHECK(stranger.next() == "end");
}

TEST_CASE("a large message goes through in pieces") {
  ListenerFixture fixture;
  RawClient reader(fixture.at);
  reader.connect("reader");
  reader.subscribe("big", 0);
  RawClient writer(fixture.at);
  writer.connect("writer");
  const std::string payload(5 << 20, 'p');
  writer.publish("big", payload, 1);
  CHECK(writer.next() == "puback id1");
  CHECK(reader.next() == "publish big " + std::string(40, 'p'));
  CHECK(fixture.bus.events().back().payload == payload);
}

TEST_CASE("beginnings of large packets share a limit, and other packets go on") {
  MqttOptions options;
  options.limits.unfinished_bytes_max = 100'000;
  ListenerFixture fixture(options);
  RawClient first(fixture.at);
  first.connect("c1");
  RawClient second(fixture.at);
  second.connect("c2");
  const std::string begun = "\x30\x80\x80\x40" + std::string(70'000, 'x');  // of 1 MiB
  first.send(begun);
  second.publish("a", "x", 1);
  CHECK(second.next() == "puback id1");
  second.send(begun);
  std::string told = second.next(1s);
  if (told == "nothing") told = first.next();
  CHECK(told == "disconnect 97");
}

TEST_CASE("connections over the limits are turned away, and there is room again afterwards") {
  MqttOptions options;
  options.limits.connections_per_address_max = 2;
  ListenerFixture fixture(options);
  auto first = std::make_unique<RawClient>(fixture.at);
  CHECK(first->connect("c1") == "connack 0");
  RawClient second(fixture.at);
  CHECK(second.connect("c2") == "connack 0");
  RawClient third(fixture.at);
  CHECK(third.next() == "end");
  CHECK(fixture.reports("\"turned_away\":1"));
  first.reset();
  CHECK(eventually([&] { return RawClient(fixture.at).connect("c3") == "connack 0"; }));
}

TEST_CASE("a client that never reads costs a bounded queue, and nobody else waits") {
  ListenerFixture fixture;
  RawClient lazy(fixture.at, Version::V311, 4096);
  lazy.connect("lazy");
  lazy.subscribe("#", 0);
  RawClient reader(fixture.at, Version::V311);
  reader.connect("reader");
  reader.subscribe("#", 0);
  RawClient writer(fixture.at, Version::V311);
  writer.connect("writer");

  const std::string payload(1000, 'p');
  for (int i = 0; i < 200; ++i) {
    for (int k = 0; k < 100; ++k) writer.publish("t", payload, 0);
    for (int k = 0; k < 100; ++k) REQUIRE(reader.next() != "nothing");
  }

  // 20 MB have passed; of what the lazy one has not taken, a window is in flight.
  CHECK(fixture.bus.unsettled("(1)") <= 1024);
  CHECK(lazy.next() == "publish t " + payload.substr(0, 40));
}

TEST_CASE("closing answers what was taken, and tells clients why") {
  ListenerFixture fixture;
  RawClient client(fixture.at);
  client.connect("c1");
  fixture.bus.set_silent(true);
  client.publish("a", "x", 1);
  client.send({kPing, 2});
  CHECK(client.next() == "pingresp");
  std::thread closing([&] { fixture.listener->close(); });
  ::poll(nullptr, 0, 20);
  fixture.bus.set_silent(false);
  closing.join();
  CHECK(client.next() == "puback id1");
  CHECK(client.next() == "disconnect 8b");
  CHECK(client.next() == "end");
  CHECK(fixture.listener->report_json() == "{\"listen\":[]}");
}

TEST_CASE("the report counts what went through") {
  ListenerFixture fixture;
  RawClient client(fixture.at);
  client.connect("c1");
  client.subscribe("a", 1);
  client.publish("a", "x", 1);
  client.next();
  client.next();
  client.publish("$no", "x", 2);
  CHECK(client.next() == "puback id2 87");
  const std::string report = fixture.listener->report_json();
  for (const char* part :
       {"\"clients\":1", "\"received\":{\"qos0\":0,\"qos1\":2}", "\"acknowledged\":1",
        "\"sent\":{\"qos0\":0,\"qos1\":1}", "\"refused\":{\"not_authorized\":1}"}) {
    CAPTURE(report);
    CHECK(report.find(part) != std::string::npos);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
