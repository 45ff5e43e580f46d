// Clients that stay while their node gets another database: an older copy, or none.
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "tests/client/running_node.h"

TEST_SUITE_BEGIN("client/restored");

using namespace marram;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  test::RunningNode running;
  std::unique_ptr<Client> client = running.client({.silent_after = 30s});

  fs::path data() const { return running.dir() / "data"; }
  // A copy of the database as it is now; the node starts again.
  void copy() {
    running.stop();
    fs::copy(data(), running.dir() / "old", fs::copy_options::recursive);
    running.start();
  }
  // The node stops; its database is that of copy(), or none.
  void put_back() {
    running.stop();
    fs::remove_all(data());
    if (fs::exists(running.dir() / "old")) fs::rename(running.dir() / "old", data());
  }
  void publish(const std::string& tag, int events) {
    std::vector<Event> batch;
    for (int i = 0; i < events; ++i) batch.push_back({.topic = "a", .payload = tag});
    REQUIRE(client->publish_many(batch));
  }
  // The next events: as many as asked for, or what came before nothing did for 5 s.
  static std::vector<Delivery> take(Subscription& subscription, std::size_t events) {
    std::vector<Delivery> taken;
    while (taken.size() < events) {
      auto some = subscription.fetch(events - taken.size(), 5s);
      if (!some || some->empty()) break;
      std::ranges::move(*some, std::back_inserter(taken));
    }
    return taken;
  }
  static std::size_t count(const std::vector<Delivery>& taken, std::string_view tag) {
    return std::ranges::count_if(taken, [&](const Delivery& d) { return d.event->payload == tag; });
  }
  static void ack(Subscription& subscription, const std::vector<Delivery>& taken) {
    std::vector<Position> positions;
    for (const Delivery& delivery : taken) positions.push_back(delivery.event->position);
    subscription.ack(positions);
  }
  // Of the one durable consumer: the backlog, when it is no more than `most`, or after 5 s.
  std::uint64_t backlog(std::uint64_t most) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    for (;;) {
      const auto consumers = client->consumers();
      REQUIRE(consumers);
      const std::uint64_t left = consumers->at(0).backlog;
      if (left <= most || std::chrono::steady_clock::now() > deadline) return left;
    }
  }
  std::unique_ptr<Subscription> subscribe(std::string name) {
    auto made = client->subscribe({.filters = {"a"}, .name = std::move(name)});
    REQUIRE(made);
    return std::move(*made);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a durable reader that stays is given all of a database put back") {
  auto reader = subscribe("billing");
  publish("first", 3);
  ack(*reader, take(*reader, 3));
  REQUIRE(backlog(0) == 0);
  copy();
  publish("old", 100);
  const auto old = take(*reader, 100);
  REQUIRE(count(old, "old") == 100);

  put_back();
  ack(*reader, old);
  running.start();
  publish("new", 100);

  const auto taken = take(*reader, 100);
  CHECK(count(taken, "new") == 100);
  ack(*reader, taken);
  CHECK(backlog(0) == 0);
}

TEST_CASE_FIXTURE(Fixture, "acks of what a lost database had settle nothing in the one put back") {
  auto reader = subscribe("billing");
  copy();
  publish("old", 100);
  const auto old = take(*reader, 100);
  put_back();
  running.start();
  publish("new", 100);
  auto taken = take(*reader, 100);
  REQUIRE(count(taken, "new") == 100);

  ack(*reader, old);
  taken.resize(50);
  ack(*reader, taken);

  CHECK(backlog(50) == 50);
}

TEST_CASE_FIXTURE(Fixture, "an ephemeral reader that stays is given all of a database put back") {
  auto reader = subscribe("");
  copy();
  publish("old", 100);
  REQUIRE(count(take(*reader, 100), "old") == 100);

  put_back();
  running.start();
  publish("new", 50);

  const auto taken = take(*reader, 50);
  CHECK(count(taken, "new") == 50);
}

TEST_CASE_FIXTURE(Fixture, "readers that stay are given all of a new database") {
  auto reader = subscribe("");
  auto durable = subscribe("billing");
  publish("old", 100);
  REQUIRE(count(take(*reader, 100), "old") == 100);
  const auto old = take(*durable, 100);

  put_back();
  ack(*durable, old);
  running.start();
  publish("new", 50);

  CHECK(count(take(*reader, 50), "new") == 50);
  CHECK(count(take(*durable, 50), "new") == 50);
}

TEST_CASE_FIXTURE(Fixture, "one position never names two events, and its log keeps its name") {
  auto reader = subscribe("");
  copy();
  publish("old", 10);
  const auto old = take(*reader, 10);
  const auto was = client->log_id(old.at(0).event->position.log());
  put_back();
  running.start();
  publish("new", 10);
  const auto taken = take(*reader, 10);

  std::set<Position> positions;
  for (const Delivery& delivery : old) positions.insert(delivery.event->position);
  for (const Delivery& delivery : taken) positions.insert(delivery.event->position);
  const auto still = client->log_id(old.at(0).event->position.log());
  const auto is = client->log_id(taken.at(0).event->position.log());

  CHECK(positions.size() == 20);
  REQUIRE((was && still && is));
  CHECK(*was == *still);
  CHECK(*was != *is);
}

TEST_CASE_FIXTURE(Fixture, "a restart with the same database repeats nothing that was settled") {
  auto durable = subscribe("billing");
  auto reader = subscribe("");
  publish("before", 100);
  REQUIRE(take(*reader, 100).size() == 100);
  const auto taken = take(*durable, 100);
  REQUIRE(taken.size() == 100);

  running.stop();
  ack(*durable, taken);
  running.start();
  publish("after", 10);

  CHECK(count(take(*reader, 10), "after") == 10);
  CHECK(count(take(*durable, 10), "after") == 10);
  CHECK(client->log_id(taken[0].event->position.log()));
}

TEST_SUITE_END();
