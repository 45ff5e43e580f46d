#include <doctest/doctest.h>
#include <signal.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/node/node.h"
#include "gateway/connectors/mqtt_connector.h"
#include "gateway/connectors/process.h"
#include "gateway/connectors/supervisor.h"
#include "tests/connectors/broker.h"

namespace marram {
namespace {

// A node, a supervisor and a real connector process, as in the daemon.
TEST_SUITE_BEGIN("connectors/connector_process");

using namespace std::chrono_literals;
using nlohmann::json;
using test::Broker;
using test::eventually;
using test::Observer;

struct Site {
  test::TempDir dir;
  std::unique_ptr<Node> node;
  std::unique_ptr<RouteSupervisor> supervisor;

  explicit Site(const RouteOptions& route) {
    auto opened = Node::open({.name = "gw",
                              .data_dir = dir.file("data"),
                              .listen = {"ipc://" + dir.file("marram.sock")}});
    REQUIRE(opened);
    node = std::move(*opened);
    SupervisorOptions options;
    options.endpoint = node->endpoints().front();
    options.command = {own_executable(), "--no-skip", "-tc=child: a connector process"};
    options.restart_least = 20ms;
    supervisor = RouteSupervisor::start(options, {route});
  }
  json route() const { return json::parse(supervisor->report_json())[0]; }
};

RouteOptions out_route(const Broker& broker) {
  return {.name = "cloud", .from = {"plant/#"}, .to = broker.url()};
}

std::vector<Event> numbered(int from, int to) {
  std::vector<Event> events;
  for (int i = from; i <= to; ++i) {
    events.push_back({.topic = "plant/1", .payload = std::to_string(i)});
  }
  return events;
}

TEST_CASE("a connector that is killed again and again loses nothing and repeats a window at most") {
  Broker broker;
  broker.start();
  Observer observer(broker, "plant/#");
  Site site(out_route(broker));
  constexpr int kKills = 4;

  int published = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    REQUIRE(eventually([&] { return site.route()["state"] == "connected"; }));
    const int pid = site.route()["pid"];
    const std::size_t seen = observer.lines().size();
    REQUIRE(site.node->publish_many(numbered(published + 1, published + 1000)));
    published += 1000;
    REQUIRE(eventually([&] { return observer.lines().size() > seen + 50; }));
    ::kill(pid, SIGKILL);
    REQUIRE(eventually([&] { return site.route()["restarts"] == kill + 1; }));
  }

  std::map<int, int> counts;
  std::vector<int> order;
  REQUIRE(eventually([&] {
    counts.clear();
    order.clear();
    for (const std::string& line : observer.lines()) {
      const int number = std::stoi(line.substr(line.find(' ') + 1));
      if (counts[number]++ == 0) order.push_back(number);
    }
    return counts.size() == static_cast<std::size_t>(published);
  }));
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(observer.lines().size() <= static_cast<std::size_t>(published + kKills * 100));
}

TEST_CASE("events wait in the node while the broker is away, and go when it is back") {
  Broker broker;
  Site site(out_route(broker));
  REQUIRE(site.node->publish_many(numbered(1, 300)));
  REQUIRE(eventually([&] { return site.route()["errors"]["retry"] >= 2; }));
  const auto backlog = [&] {
    const auto consumers = site.node->consumers();
    REQUIRE(consumers);
    REQUIRE(consumers->size() == 1);
    CHECK(consumers->front().name == "route:cloud");
    return consumers->front().backlog;
  };
  CHECK(backlog() == 300);

  broker.start();

  CHECK(eventually([&] { return backlog() == 0; }, 40s));
  CHECK(eventually([&] { return site.route()["acked"] == 300; }));
}

TEST_CASE("a route in stores what the broker sends, and drops what came from this node") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  Site site({.name = "commands",
             .direction = RouteDirection::In,
             .from = {"cmd/#"},
             .to = broker.url(),
             .topic = "in/{rest}"});
  auto reader = site.node->subscribe({.filters = {"in/#"}});
  REQUIRE(reader);
  REQUIRE(eventually([&] { return site.route()["state"] == "connected"; }));

  const std::vector<std::string> ours{
      "-V", "5", "-D", "publish", "user-property", "marramnode", site.node->id()};
  REQUIRE(eventually([&] {  // it may not be subscribed yet
    test::publish(broker, "cmd/x", "ours", ours);
    return site.route()["looped"] >= 1;
  }));
  test::publish(broker, "cmd/x", "theirs");

  const auto got = (*reader)->fetch(10, Duration(10s));
  REQUIRE(got);
  REQUIRE(got->size() == 1);
  CHECK(got->front().event->topic == "in/x");
  CHECK(got->front().event->payload == "theirs");
  CHECK(got->front().event->client == "route:commands");
  CHECK(eventually([&] { return site.route()["taken"] == 1; }));
}

TEST_CASE("a message that can be no event pauses the route, and it is not acknowledged") {
  Broker broker("allow_anonymous true\nlog_type all\n");
  broker.start();
  Site site({.name = "commands",
             .direction = RouteDirection::In,
             .from = {"cmd/#"},
             .to = broker.url(),
             .topic = "{rest}"});
  REQUIRE(eventually([&] { return site.route()["state"] == "connected"; }));

  REQUIRE(eventually([&] {
    test::publish(broker, "cmd", "no rest");
    return site.route()["state"] == "paused";
  }));

  CHECK(site.route()["errors"]["poison"] == 1);
  CHECK(site.route()["taken"] == 0);
}

TEST_CASE("child: a connector process" * doctest::skip()) { std::_Exit(run_mqtt_connector()); }

TEST_SUITE_END();

}  // namespace
}  // namespace marram
