#include "gateway/connectors/mqtt_inbound.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <time.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "core/node/node.h"
#include "gateway/mqtt/listener.h"
#include "gateway/mqtt/users.h"
#include "tests/connectors/broker.h"
#include "tests/connectors/connector_thread.h"
#include "tests/connectors/paper_bus.h"

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/mqtt_inbound");

using namespace std::chrono_literals;
using test::Broker;
using test::eventually;
using test::Inbound;
using test::publish;

ConnectorConfig config_for(const std::string& to) {
  ConnectorConfig config;
  config.route.name = "commands";
  config.route.direction = RouteDirection::In;
  config.route.from = {"acme/gw/cmd/#"};
  config.route.to = to;
  config.route.topic = "cmd/{rest}";
  config.redial_most = 500ms;
  return config;
}

std::vector<std::string> with_property(const std::string& name, const std::string& value) {
  return {"-V", "5", "-D", "publish", "user-property", name, value};
}

std::size_t count_in_log(const Broker& broker, const std::string& text) {
  std::stringstream log;
  log << std::ifstream(broker.dir().file("mosquitto.log")).rdbuf();
  std::size_t count = 0;
  for (std::string line; std::getline(log, line);) count += line.find(text) != std::string::npos;
  return count;
}

TEST_CASE("what is published outside is stored here under its new topic") {
  for (const MqttVersion version : {MqttVersion::V5, MqttVersion::V311}) {
    Broker broker("allow_anonymous true\nlog_type all\n");
    broker.start();
    PaperBus bus;
    ConnectorConfig config = config_for(broker.url());
    config.route.protocol = version;
    Inbound route(bus, config);
    REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));

    publish(broker, "acme/gw/cmd/valve/1", "open", with_property("id", "my-id"));

    REQUIRE(eventually([&] { return bus.stored().size() == 1; }));
    const Event event = bus.stored().back();
    CHECK(event.topic == "cmd/valve/1");
    CHECK(event.payload == "open");
    CHECK((event.id == "my-id") == (version == MqttVersion::V5));
    CHECK(event.id != "");
    CHECK(eventually([&] { return route.status().taken == 1; }));
    CHECK(route.status().state == RouteState::Connected);
  }
}

TEST_CASE("a route takes what several filters match") {
  for (const MqttVersion version : {MqttVersion::V5, MqttVersion::V311}) {
    Broker broker("allow_anonymous true\nlog_type all\n");
    broker.start();
    PaperBus bus;
    ConnectorConfig config = config_for(broker.url());
    config.route.protocol = version;
    config.route.from = {"a/#", "b/#", "c/+/d/#"};
    config.route.topic = "cmd/{topic}";
    Inbound route(bus, config);
    REQUIRE(eventually([&] { return route.status().state == RouteState::Connected; }));
    REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 3; }));

    for (const char* topic : {"a/1", "b/1", "c/1/d"}) publish(broker, topic, "x");

    CHECK(eventually([&] { return bus.stored().size() == 3; }));
  }
}

TEST_CASE("the broker keeps what is published while the route is away") {
  for (const MqttVersion version : {MqttVersion::V5, MqttVersion::V311}) {
    Broker broker("allow_anonymous true\nlog_type all\n");
    broker.start();
    PaperBus bus;
    ConnectorConfig config = config_for(broker.url());
    config.route.protocol = version;
    {
      Inbound route(bus, config);
      REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));
    }

    for (int i = 1; i <= 3; ++i) publish(broker, "acme/gw/cmd/x", std::to_string(i));
    Inbound route(bus, config);

    CHECK(eventually([&] { return bus.stored().size() == 3; }));
    CHECK(bus.stored()[2].payload == "3");
  }
}

TEST_CASE("an event that comes back to the node where it began is dropped and counted") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  PaperBus bus;
  Inbound route(bus, config_for(broker.url()));
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));

  publish(broker, "acme/gw/cmd/x", "ours", with_property("marramnode", "b,node-a"));
  publish(broker, "acme/gw/cmd/x", "theirs", with_property("marramnode", "b"));

  CHECK(eventually([&] { return bus.stored().size() == 1; }));
  CHECK(bus.stored()[0].payload == "theirs");
  CHECK(bus.stored()[0].headers == HeaderPairs{{"marramnode", "b"}});
  CHECK(eventually([&] { return route.status().looped == 1; }));
}

TEST_CASE("a node that is full holds the broker back, and goes on by itself") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  PaperBus bus;
  bus.refuse_commits(Error{Errc::Full, "full"});
  Inbound route(bus, config_for(broker.url()));
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));

  publish(broker, "acme/gw/cmd/x", "1");
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending PUBLISH to marram-gw") == 1; }));
  CHECK(count_in_log(broker, "Received PUBACK from marram-gw") == 0);
  bus.refuse_commits({});

  CHECK(eventually([&] { return bus.stored().size() == 1; }));
  CHECK(eventually([&] { return count_in_log(broker, "Received PUBACK from marram-gw") == 1; }));
}

TEST_CASE("a message that can never be an event is skipped and counted if so told") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  PaperBus bus;
  ConnectorConfig config = config_for(broker.url());
  config.route.topic = "{rest}";
  config.route.on_poison = OnPoison::Skip;
  Inbound route(bus, config);
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));

  publish(broker, "acme/gw/cmd", "no rest");
  publish(broker, "acme/gw/cmd/x", "good");

  CHECK(eventually([&] { return bus.stored().size() == 1; }));
  CHECK(eventually([&] { return route.status().skipped == 1; }));
  CHECK(route.status().last_error.find("acme/gw/cmd") != std::string::npos);
}

TEST_CASE("a message is acknowledged only after the commit, also if the process is killed") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  const std::string puback = "Received PUBACK from marram-gw-commands";
  auto child = Process::start(
      {.arguments = {own_executable(), "--no-skip", "-tc=child: an inbound that never commits"},
       .stderr_file = {}});
  REQUIRE(child);
  REQUIRE(child->write_stdin(config_line(config_for(broker.url())) + "\n"));
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));

  publish(broker, "acme/gw/cmd/x", "precious");
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending PUBLISH to marram-gw") == 1; }));
  child->signal(SIGKILL);
  child->wait();

  CHECK(count_in_log(broker, puback) == 0);
  PaperBus bus;
  Inbound route(bus, config_for(broker.url()));
  CHECK(eventually([&] { return bus.stored().size() == 1; }));
  CHECK(bus.stored()[0].payload == "precious");
  CHECK(eventually([&] { return count_in_log(broker, puback) == 1; }));
}

// A broker whose access list refuses filters, as mosquitto's does not: another node.
struct StrictBroker {
  StrictBroker() {
    std::ofstream(dir.file("users.toml"))
        << "[[user]]\nname = \"gw\"\npassword_hash = \"" << *mqtt::hash_password("secret")
        << "\"\nsubscribe = [\"acme/gw/cmd/#\"]\n";
    node = std::move(*Node::open({.data_dir = dir.file("data"), .durability = Durability::Os}));
    listener = std::move(*mqtt::MqttListener::open(
        {.listen = {"mqtt://127.0.0.1:0"}, .users_file = dir.file("users.toml")}, *node));
  }

  test::TempDir dir;
  std::unique_ptr<Node> node;
  std::unique_ptr<mqtt::MqttListener> listener;
};

TEST_CASE("a refused filter pauses the route, and what the other ones bring is stored") {
  StrictBroker broker;
  PaperBus bus;
  ConnectorConfig config = config_for(broker.listener->endpoints().front());
  config.route.from = {"acme/gw/cmd/#", "secret/#"};
  config.route.user = "gw";
  config.route.password = "secret";
  Inbound route(bus, config);
  REQUIRE(eventually([&] { return route.status().state == RouteState::Paused; }));

  REQUIRE(broker.node->publish({.topic = "acme/gw/cmd/x", .payload = "1"}));

  // Closing the connection would acknowledge what comes meanwhile.
  CHECK(eventually([&] { return bus.stored().size() == 1; }));
  CHECK(route.status().last_error.find("refused a filter") != std::string::npos);
  CHECK(route.status().errors_auth == 1);
}

TEST_CASE("a route that is paused waits without burning the processor") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  ConnectorConfig config = config_for(broker.url());
  config.route.topic = "{rest}";  // nothing, for acme/gw/cmd
  config.paused_for = 1s;
  auto child = Process::start(
      {.arguments = {own_executable(), "--no-skip", "-tc=child: an inbound that pauses"},
       .stderr_file = {}});
  REQUIRE(child);
  REQUIRE(child->write_stdin(config_line(config) + "\n"));
  REQUIRE(eventually([&] { return count_in_log(broker, "Sending SUBACK") == 1; }));

  publish(broker, "acme/gw/cmd", "poison");

  CHECK(child->wait() == 0);
}

ConnectorConfig config_of_child() {
  die_with_parent(::getppid());
  std::string line;
  std::getline(std::cin, line);
  return parse_config_line(line).value();
}

TEST_CASE("child: an inbound that pauses" * doctest::skip()) {
  const ConnectorConfig config = config_of_child();
  PaperBus bus;
  const Signal never;
  const ConnectorHost host{.stop_fds = {never.fd()}, .report = [](const RouteStatus&) {}};
  auto* const inbound = new MqttInbound(bus, {"gw", "node-a"}, config, host);

  const Status status = inbound->run();

  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  std::_Exit(!status && used.tv_sec == 0 && used.tv_nsec < 300'000'000 ? 0 : 1);
}

TEST_CASE("child: an inbound that never commits" * doctest::skip()) {
  const ConnectorConfig config = config_of_child();
  PaperBus bus;
  bus.hold_commits(true);
  const Signal never;
  const ConnectorHost host{.stop_fds = {never.fd()}, .report = [](const RouteStatus&) {}};

  MqttInbound(bus, {"gw", "node-a"}, config, host).run();
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
