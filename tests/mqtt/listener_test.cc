#include <doctest/doctest.h>

#include "gateway/mqtt/listener.h"
#include "tests/mqtt/fake_bus.h"
#include "tests/mqtt/raw_client.h"

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/listener");

struct Fixture {
  explicit Fixture(MqttOptions options = {}) {
    if (options.listen.empty()) options.listen = {"mqtt://127.0.0.1:0"};
    auto opened = MqttListener::open(std::move(options), bus);
    REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error().message));
    listener = std::move(*opened);
    at = listener->endpoints().front();
  }
  FakeBus bus;
  std::unique_ptr<MqttListener> listener;
  std::string at;
};

TEST_CASE("a publish is stored and acknowledged, in both versions") {
  Fixture fixture;
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
  Fixture fixture;
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

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
