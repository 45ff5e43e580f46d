#include "gateway/connectors/mqtt_outbound.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/connectors/broker.h"
#include "tests/connectors/connector_thread.h"
#include "tests/connectors/paper_bus.h"

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/mqtt_outbound");

using namespace std::chrono_literals;
using test::Broker;
using test::eventually;
using test::Observer;
using test::Outbound;

ConnectorConfig config_for(const std::string& to) {
  ConnectorConfig config;
  config.route.name = "cloud";
  config.route.from = {"plant/#"};
  config.route.to = to;
  config.redial_most = 500ms;
  config.paused_for = 200ms;
  return config;
}

// Numbers on `topic` in the order of their first arrival, and how many came again.
struct Arrivals {
  std::vector<int> numbers;
  int repeats = 0;
};

Arrivals arrivals(const std::vector<std::string>& lines, const std::string& topic) {
  Arrivals all;
  std::map<int, int> seen;
  for (const std::string& line : lines) {
    if (!line.starts_with(topic + " ")) continue;
    const int number = std::stoi(line.substr(topic.size() + 1));
    if (seen[number]++ == 0) {
      all.numbers.push_back(number);
    } else {
      ++all.repeats;
    }
  }
  return all;
}

bool is_one_to(int count, const std::vector<int>& numbers) {
  if (numbers.size() != static_cast<std::size_t>(count)) return false;
  for (int i = 0; i < count; ++i) {
    if (numbers[static_cast<std::size_t>(i)] != i + 1) return false;
  }
  return true;
}

TEST_CASE("everything reaches the broker in order, and is settled then") {
  for (const MqttVersion version : {MqttVersion::V5, MqttVersion::V311}) {
    Broker broker;
    broker.start();
    Observer observer(broker, "acme/#");
    PaperBus bus;
    bus.publish_numbers("plant/1", 300);
    ConnectorConfig config = config_for(broker.url());
    config.route.protocol = version;
    config.route.topic = "acme/{topic}";

    Outbound route(bus, config);

    CHECK(eventually([&] { return bus.settled() == 300; }));
    CHECK(eventually([&] { return observer.lines().size() >= 300; }));
    CHECK(is_one_to(300, arrivals(observer.lines(), "acme/plant/1").numbers));
    CHECK(route.status().state == RouteState::Connected);
  }
}

TEST_CASE("a broker that is stopped and comes back gets everything in order") {
  Broker broker("allow_anonymous true\npersistence true\npersistence_location {dir}\n");
  broker.start();
  // Its session survives, so that it sees what it missed.
  Observer observer(broker, "plant/#", {"-c", "-i", "observer"});
  PaperBus bus;
  for (int i = 0; i < 10; ++i) bus.publish_numbers("plant/" + std::to_string(i), 500);

  Outbound route(bus, config_for(broker.url()));
  REQUIRE(eventually([&] { return bus.settled() > 500; }));
  broker.stop();
  REQUIRE(eventually([&] { return route.status().state == RouteState::Connecting; }));
  broker.start();

  CHECK(eventually([&] { return bus.settled() == 5000; }));
  std::size_t repeats = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string topic = "plant/" + std::to_string(i);
    CHECK(eventually([&] { return arrivals(observer.lines(), topic).numbers.size() == 500; }));
    CHECK(is_one_to(500, arrivals(observer.lines(), topic).numbers));
    repeats += static_cast<std::size_t>(arrivals(observer.lines(), topic).repeats);
  }
  constexpr std::size_t kObserversOwnWindow = 20;
  CHECK(repeats <= 100 + kObserversOwnWindow);
}

TEST_CASE("a broker that is killed is sent again what it had not acknowledged, and no more") {
  Broker broker;
  broker.start();
  PaperBus bus;
  bus.publish_numbers("plant/1", 5000);
  const ConnectorConfig config = config_for(broker.url());

  Outbound route(bus, config);
  REQUIRE(eventually([&] { return bus.settled() > 500; }));
  broker.kill();
  REQUIRE(eventually([&] { return route.status().state == RouteState::Connecting; }));
  broker.start();

  CHECK(eventually([&] { return bus.settled() == 5000; }));
  CHECK(eventually([&] { return route.status().acked == 5000; }));
  CHECK(route.status().sent <= 5000 + config.route.in_flight);
  CHECK(route.status().last_error != "");
}

TEST_CASE("a wrong password pauses the route and keeps its queue until it is right") {
  Broker broker("password_file {dir}/users\n");
  std::system(("mosquitto_passwd -b -c " + broker.dir().file("users") + " gw right").c_str());
  broker.start();
  PaperBus bus;
  bus.publish_numbers("plant/1", 3);
  ConnectorConfig config = config_for(broker.url());
  config.route.user = "gw";
  for (const MqttVersion version : {MqttVersion::V5, MqttVersion::V311}) {
    config.route.protocol = version;
    config.route.password = "wrong";
    Outbound route(bus, config);

    CHECK(eventually([&] { return route.status().state == RouteState::Paused; }));
    CHECK(route.status().errors_auth >= 1);
    CHECK(route.status().last_error.find("not authorized") != std::string::npos);
    CHECK(bus.settled() == 0);
  }

  config.route.password = "right";
  Outbound route(bus, config);

  CHECK(eventually([&] { return bus.settled() == 3; }));
}

TEST_CASE("a topic that the broker does not allow pauses the route") {
  Broker broker("allow_anonymous true\nacl_file {dir}/acl\n");
  std::system(("echo 'topic readwrite plant/ok' > " + broker.dir().file("acl")).c_str());
  broker.start();
  PaperBus bus;
  bus.publish_numbers("plant/secret", 2);

  Outbound route(bus, config_for(broker.url()));

  CHECK(eventually([&] { return route.status().state == RouteState::Paused; }));
  CHECK(route.status().errors_auth >= 1);
  CHECK(bus.settled() == 0);
}

TEST_CASE("an event that is too large for the broker pauses the route, or is skipped if so told") {
  Broker broker("allow_anonymous true\nmax_packet_size 2000\n");
  broker.start();
  Observer observer(broker, "plant/#");
  const auto fill = [](PaperBus& bus) {
    auto batch = std::make_unique<EventBatch>();
    UuidMaker ids;
    batch->add(Event{.topic = "plant/1", .payload = "1"}, "", WallTime{}, ids);
    batch->add(Event{.topic = "plant/1", .payload = std::string(3000, 'x')}, "", WallTime{}, ids);
    batch->add(Event{.topic = "plant/1", .payload = "2"}, "", WallTime{}, ids);
    CHECK(bus.submit(std::move(batch), nullptr, 0));
  };

  PaperBus paused_bus;
  fill(paused_bus);
  {
    Outbound route(paused_bus, config_for(broker.url()));
    CHECK(eventually([&] { return route.status().state == RouteState::Paused; }));
    CHECK(route.status().errors_poison >= 1);
    CHECK(paused_bus.settled() <= 1);
  }
  PaperBus bus;
  fill(bus);
  ConnectorConfig config = config_for(broker.url());
  config.route.on_poison = OnPoison::Skip;
  Outbound route(bus, config);

  CHECK(eventually([&] { return bus.settled() == 3; }));
  CHECK(eventually([&] { return route.status().skipped == 1; }));
  CHECK(route.status().last_error.find("Maximum Packet Size") != std::string::npos);
}

TEST_CASE("a broker that drops the connection over one event is found out over MQTT 3.1.1") {
  Broker broker("allow_anonymous true\nmax_packet_size 2000\n");
  broker.start();
  PaperBus bus;
  bus.publish_numbers("plant/1", 3);
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  batch->add(Event{.topic = "plant/1", .payload = std::string(3000, 'x')}, "", WallTime{}, ids);
  CHECK(bus.submit(std::move(batch), nullptr, 0));
  ConnectorConfig config = config_for(broker.url());
  config.route.protocol = MqttVersion::V311;
  config.redial_most = 200ms;

  Outbound route(bus, config);

  CHECK(eventually([&] { return route.status().state == RouteState::Paused; }, 30s));
  CHECK(bus.settled() == 3);
  CHECK(route.status().errors_poison == 1);
}

TEST_CASE("ids and headers travel as MQTT 5 user properties") {
  Broker broker;
  broker.start();
  Observer observer(broker, "plant/#", {"-V", "5", "-F", "%t %p [%P] %C %E"});
  PaperBus bus;
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  Event event{.topic = "plant/1", .payload = "x", .id = "my-id", .content_type = "text/plain"};
  batch->add(event, *pack_headers({{"a", "b"}}), Clock::system().wall(), ids);
  batch->events().back().expires = Clock::system().wall() + 60s;
  CHECK(bus.submit(std::move(batch), nullptr, 0));

  Outbound route(bus, config_for(broker.url()));

  REQUIRE(eventually([&] { return !observer.lines().empty(); }));
  const std::string line = observer.lines().front();
  CHECK(line.find("id:my-id") != std::string::npos);
  CHECK(line.find("a:b") != std::string::npos);
  CHECK(line.find("marramnode:node-a") != std::string::npos);
  CHECK(line.find("text/plain 60") != std::string::npos);
}

// A certificate for `localhost` only, and the CA that made it.
void make_certificates(const test::TempDir& dir) {
  const std::string command =
      "cd " + dir.file("") +
      " && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2"
      " -subj /CN=test-ca >/dev/null 2>&1"
      " && openssl req -newkey rsa:2048 -nodes -keyout key.pem -out req.pem"
      " -subj /CN=localhost >/dev/null 2>&1"
      " && printf 'subjectAltName=DNS:localhost' > names"
      " && openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem"
      " -days 2 -extfile names >/dev/null 2>&1";
  REQUIRE(std::system(command.c_str()) == 0);
}

TEST_CASE("a certificate for another host name, or of another CA, is refused") {
  Broker broker(
      "allow_anonymous true\ncafile {dir}/ca.pem\ncertfile {dir}/cert.pem\n"
      "keyfile {dir}/key.pem\n");
  make_certificates(broker.dir());
  broker.start();
  PaperBus bus;
  bus.publish_numbers("plant/1", 1);
  ConnectorConfig wrong_name = config_for(broker.url("mqtts", "127.0.0.1"));
  wrong_name.route.tls.ca_file = broker.dir().file("ca.pem");
  ConnectorConfig wrong_ca = config_for(broker.url("mqtts", "localhost"));
  ConnectorConfig right = config_for(broker.url("mqtts", "localhost"));
  right.route.tls.ca_file = broker.dir().file("ca.pem");

  for (const ConnectorConfig& config : {wrong_name, wrong_ca}) {
    Outbound route(bus, config);
    CHECK(eventually([&] { return route.status().errors_retry >= 2; }));
    CHECK(route.status().last_error.find("certificate") != std::string::npos);
    CHECK(route.status().sent == 0);
  }
  Outbound route(bus, right);

  CHECK(eventually([&] { return bus.settled() == 1; }));
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
