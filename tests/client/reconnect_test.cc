#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "tests/client/running_node.h"

TEST_SUITE_BEGIN("client/reconnect");

using namespace marram;
using namespace std::chrono_literals;

namespace {

// How often each payload was handed out, and in which order first.
struct Taken {
  std::map<std::string, int> times;
  std::vector<std::string> order;
  std::size_t unmarked_repeats = 0;
};

void take(Subscription& subscription, std::size_t distinct, Taken& taken) {
  while (taken.times.size() < distinct) {
    const auto events = subscription.fetch(1000, 5s);
    if (!events || events->empty()) return;
    std::vector<Position> positions;
    for (const Delivery& delivery : *events) {
      const std::string payload(delivery.event->payload);
      if (taken.times[payload]++ == 0) {
        taken.order.push_back(payload);
      } else if (delivery.attempt == 1) {
        ++taken.unmarked_repeats;
      }
      positions.push_back(delivery.event->position);
    }
    subscription.ack(positions);
  }
}

}  // namespace

TEST_CASE("batches submitted while the node is away are stored when it is back, in order") {
  test::RunningNode running;
  auto client = running.client({.silent_after = 30s});
  running.stop();
  const auto inbox = std::make_shared<Inbox>();
  UuidMaker ids;
  for (std::uint64_t token = 0; token < 20; ++token) {
    auto batch = std::make_unique<EventBatch>();
    batch->add(Event{.topic = "a", .payload = std::to_string(token)}, "", WallTime(1s), ids);
    REQUIRE(client->submit(std::move(batch), inbox, token));
  }

  running.start();

  std::vector<std::uint64_t> tokens;
  std::vector<Position> positions;
  std::vector<Notice> notices;
  while (tokens.size() < 20 && inbox->wait(5s)) {
    inbox->take(notices);
    for (const Notice& notice : notices) {
      const auto& published = std::get<Published>(notice);
      CHECK(published.results.empty());
      tokens.push_back(published.token);
      positions.push_back(published.batch->events().front().position);
    }
  }
  REQUIRE(tokens.size() == 20);
  CHECK(std::ranges::is_sorted(tokens));
  CHECK(std::ranges::is_sorted(positions));
}

TEST_CASE("no batch is lost when the node restarts again and again under load") {
  test::RunningNode running;
  auto client = running.client();
  std::atomic<bool> stop = false;
  std::vector<std::string> accepted;
  std::thread publisher([&] {
    for (int i = 0; !stop; ++i) {
      const std::string payload = std::to_string(i);
      if (client->publish({.topic = "a", .payload = payload}, 30s)) accepted.push_back(payload);
    }
  });

  for (int round = 0; round < 3; ++round) {
    const auto before = client->status_json();
    running.stop();
    running.start();
    CHECK(client->publish({.topic = "round", .payload = "x"}, 30s));
  }
  stop = true;
  publisher.join();

  auto reader =
      running.node().subscribe({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}});
  REQUIRE(reader);
  Taken taken;
  take(**reader, accepted.size(), taken);
  std::size_t missing = 0;
  for (const std::string& payload : accepted) missing += taken.times.contains(payload) ? 0 : 1;
  CHECK(accepted.size() > 0);
  CHECK(missing == 0);
}

TEST_CASE("a durable subscription goes on after a restart; repeats are marked") {
  test::RunningNode running;
  auto client = running.client();
  std::vector<Event> events;
  for (int i = 0; i < 200; ++i) events.push_back({.topic = "a", .payload = std::to_string(i)});
  REQUIRE(client->publish_many(events));
  auto subscription = client->subscribe({.filters = {"a"}, .name = "c", .in_flight_max = 50});
  REQUIRE(subscription);
  Taken taken;
  take(**subscription, 60, taken);

  running.stop();
  running.start();

  take(**subscription, 200, taken);
  REQUIRE(taken.times.size() == 200);
  CHECK(taken.unmarked_repeats == 0);
  for (int i = 0; i < 200; ++i) REQUIRE(taken.order[i] == std::to_string(i));
}

TEST_CASE("an ephemeral subscription goes on after a restart without gap or repeat") {
  test::RunningNode running;
  auto client = running.client();
  auto subscription = client->subscribe({.filters = {"a"}});
  REQUIRE(subscription);
  REQUIRE(client->publish({.topic = "a", .payload = "0"}));
  Taken taken;
  take(**subscription, 1, taken);

  running.stop();
  running.start();
  REQUIRE(running.node().publish({.topic = "a", .payload = "1"}));
  REQUIRE(client->publish({.topic = "a", .payload = "2"}));

  take(**subscription, 3, taken);
  CHECK(taken.order == std::vector<std::string>{"0", "1", "2"});
  CHECK(taken.times.at("0") == 1);
}

TEST_CASE("a call that the node does not answer in time says so; its batch stays queued") {
  test::RunningNode running;
  auto client = running.client({.silent_after = 300ms});
  running.stop();

  const auto late = client->publish({.topic = "a", .payload = "late"}, 100ms);
  const auto status = client->status_json();

  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::TimedOut);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::Unreachable);
  CHECK(status.error().message == "client: cannot reach " + running.ipc() +
                                      ": no answer in 300ms (is the node running? marram run)");

  running.start();
  auto reader =
      running.node().subscribe({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}});
  REQUIRE(reader);
  Taken taken;
  take(**reader, 1, taken);
  CHECK(taken.order == std::vector<std::string>{"late"});
}

TEST_CASE("a subscription that cannot be opened in time ends as unreachable") {
  test::RunningNode running;
  auto client = running.client({.silent_after = 200ms});
  running.stop();

  const auto subscription = client->subscribe({.filters = {"a"}});

  REQUIRE_FALSE(subscription);
  CHECK(subscription.error().code == Errc::Unreachable);
}

TEST_CASE("without reconnect a lost node ends everything") {
  test::RunningNode running;
  auto client = running.client({.reconnect = false});
  auto subscription = client->subscribe({.filters = {"a"}});
  REQUIRE(subscription);

  running.stop();

  const auto ended = (*subscription)->fetch(1, 5s);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == Errc::Unreachable);
  const auto refused = client->publish({.topic = "a"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Unreachable);
}

TEST_CASE("a batch that comes after the end is left to its publisher") {
  test::RunningNode running;
  auto client = running.client({.reconnect = false});
  auto subscription = client->subscribe({.filters = {"a"}});
  REQUIRE(subscription);
  running.stop();
  REQUIRE_FALSE((*subscription)->fetch(1, 5s));
  UuidMaker ids;
  auto batch = std::make_unique<EventBatch>();
  batch->add(Event{.topic = "a", .payload = "x"}, "", WallTime(1s), ids);

  const auto refused = client->submit(std::move(batch), std::make_shared<Inbox>(), 1);

  REQUIRE_FALSE(refused);
  REQUIRE(batch != nullptr);
  CHECK(batch->events().front().payload == "x");
}

TEST_CASE("what waits for an answer is bounded") {
  test::RunningNode running;
  ClientOptions options;
  options.limits.queued_bytes_max = 1000;
  auto client = running.client(options);
  running.stop();
  const auto inbox = std::make_shared<Inbox>();
  UuidMaker ids;
  const auto batch = [&] {
    auto made = std::make_unique<EventBatch>();
    made->add(Event{.topic = "a", .payload = std::string(600, 'x')}, "", WallTime(1s), ids);
    return made;
  };

  CHECK(client->submit(batch(), inbox, 1));
  const auto refused = client->submit(batch(), inbox, 2);

  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Overloaded);
  CHECK(refused.error().message.find("limits.queued_bytes_max") != std::string::npos);
}

TEST_SUITE_END();
