// The listener on a real node.
#include <doctest/doctest.h>

#include "core/node/node.h"
#include "tests/mqtt/listener_fixture.h"

namespace marram::mqtt {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/node");

struct NodeFixture {
  NodeFixture() { open(); }
  ~NodeFixture() { close(); }
  NodeFixture(const NodeFixture&) = delete;
  NodeFixture& operator=(const NodeFixture&) = delete;

  void open() {
    auto opened = Node::open({.name = "n", .data_dir = dir.path / "data"});
    REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error().message));
    node = std::move(*opened);
    auto listening = MqttListener::open({.listen = {"mqtt://127.0.0.1:0"}}, *node);
    REQUIRE_MESSAGE(listening, (listening ? std::string() : listening.error().message));
    listener = std::move(*listening);
    at = listener->endpoints().front();
  }
  void close() {
    listener.reset();
    node.reset();
  }

  TempDir dir;
  std::unique_ptr<Node> node;
  std::unique_ptr<MqttListener> listener;
  std::string at;
};

TEST_CASE("a publish is on disk when it is acknowledged, and reaches subscribers of both kinds") {
  NodeFixture fixture;
  auto embedded = fixture.node->subscribe({.filters = {"plant/#"}});
  REQUIRE(embedded);
  RawClient client(fixture.at);
  client.connect("c1");
  CHECK(client.subscribe("plant/+", 1) == "suback id101 1");

  client.publish("plant/1", "21.5", 1);

  std::string words = client.next() + ", " + client.next();
  CHECK(words.find("puback id1") != std::string::npos);
  CHECK(words.find("publish plant/1 21.5 qos1 id1") != std::string::npos);
  const auto got = (*embedded)->fetch(10, Duration(5s));
  REQUIRE(got);
  REQUIRE(got->size() == 1);
  CHECK(got->front().event->client == "c1");
}

TEST_CASE("a kept session goes on after the node was away, without loss and in order") {
  NodeFixture fixture;
  {
    RawClient reader(fixture.at, Version::V311);
    CHECK(reader.connect("reader", false) == "connack 0");
    CHECK(reader.subscribe("a", 1) == "suback id101 1");
  }
  constexpr std::uint16_t kCount = 3000;  // more than a window
  {
    RawClient writer(fixture.at, Version::V311);
    writer.connect("writer");
    for (std::uint16_t id = 1; id <= kCount; ++id) writer.publish("a", std::to_string(id), id);
    for (std::uint16_t id = 1; id <= kCount; ++id) {
      REQUIRE(writer.next() == "puback id" + std::to_string(id));
    }
  }
  fixture.close();
  fixture.open();

  RawClient reader(fixture.at, Version::V311);
  CHECK(reader.connect("reader", false) == "connack 0 present");
  for (std::uint16_t id = 1; id <= kCount; ++id) {
    const std::string number = std::to_string(id);
    REQUIRE(reader.next() == "publish a " + number + " qos1 id" + number);
    reader.ack(id);
  }
  CHECK(reader.next(100ms) == "nothing");
}

TEST_CASE("what was handed out and not acknowledged comes again, and only that") {
  NodeFixture fixture;
  {
    RawClient reader(fixture.at, Version::V311);
    reader.connect("reader", false);
    reader.subscribe("a", 1);
    RawClient writer(fixture.at);
    writer.connect("writer");
    for (const std::uint16_t id : {1, 2, 3}) {
      writer.publish("a", std::to_string(id), id);
      CHECK(reader.next() == "publish a " + std::to_string(id) + " qos1 id" + std::to_string(id));
    }
    reader.ack(2);
    reader.send("\xC0\x00"s);
    CHECK(reader.next() == "pingresp");
  }
  RawClient reader(fixture.at, Version::V311);
  CHECK(reader.connect("reader", false) == "connack 0 present");
  CHECK(reader.next() == "publish a 1 qos1 id1 dup");
  CHECK(reader.next() == "publish a 3 qos1 id2 dup");
  CHECK(reader.next(50ms) == "nothing");
}

TEST_CASE("sessions come and go at speed, and leave nothing behind") {
  NodeFixture fixture;
  for (int i = 0; i < 20; ++i) {
    RawClient reader(fixture.at, i % 2 == 0 ? Version::V311 : Version::V5);
    CHECK(reader.connect("reader", i % 4 == 0) == (i % 4 < 2 ? "connack 0" : "connack 0 present"));
    if (i % 4 != 0) {
      CHECK(reader.subscribe("a/" + std::to_string(i), 1) == "suback id101 1");
    }
  }
  RawClient reader(fixture.at);
  CHECK(reader.connect("reader", true) == "connack 0");
  CHECK(fixture.node->consumers()->empty());
}

TEST_CASE("a node that closes first tells its subscribers") {
  NodeFixture fixture;
  RawClient reader(fixture.at);
  reader.connect("reader");
  reader.subscribe("a", 1);
  fixture.node->close();
  CHECK(reader.next() == "disconnect 8b");
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
