#include "tests/node/fake_store.h"

#include <nlohmann/json.hpp>

namespace marram::test {

namespace {

TEST_SUITE_BEGIN("node/broker");

TEST_CASE("an ephemeral subscription gets what is committed after it was opened") {
  FakeNode node;
  node.commit(1, {"a"});
  node.open({.filters = {"a"}});
  node.run();

  node.commit(1, {"a", "b", "a"});
  node.run();

  CHECK(node.words() == "opened 1/2 1/4");
  CHECK(node.store.reads.empty());
}

TEST_CASE("a durable consumer is opened when it is on disk, and misses nothing meanwhile") {
  FakeNode node;
  node.commit(1, {"a"});
  node.open({.filters = {"a"}, .name = "c"});
  node.run(true);
  node.commit(1, {"a", "b"});
  node.run(true);
  CHECK(node.words() == "");

  node.run();

  CHECK(node.words() == "opened 1/1 1/2");
}

TEST_CASE("a second member is refused, or takes the consumer over and gets what is unsettled") {
  FakeNode node;
  node.open({.filters = {"a"}, .name = "c"});
  node.run();
  node.commit(1, {"a"});
  node.run();
  CHECK(node.words() == "opened 1/1");

  node.open({.filters = {"a"}, .name = "c"});
  node.run();
  CHECK(node.words() == "ended:busy");

  node.open({.filters = {"a"}, .name = "c", .take_over = true});
  node.run();
  CHECK(node.words() == "ended:busy opened 1/1*");
}

TEST_CASE("what is asked of a consumer that is being made waits for it, in order") {
  FakeNode node;
  const SubscriptionId first = node.open({.filters = {"a"}, .name = "c"});
  node.broker->change(first, {"b"}, "");
  node.open({.filters = {"a"}, .name = "c"});
  node.broker->close_subscription(first);
  node.broker->remove_consumer("c", node.inbox, 7);
  node.run();

  CHECK(node.words() == "ended:closed opened removed:busy");
  CHECK(node.store.puts.front().no == 0);
  CHECK(node.store.records.size() == 1);
}

TEST_CASE("a change that comes with the opening is made once the consumer is there") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"a"}, .name = "c"});
  node.broker->change(id, {"b"}, "x");
  node.run();

  CHECK(node.words() == "opened changed");
  CHECK(node.store.records.at(1).filters.front().filter == "b");
  CHECK(node.store.records.at(1).attributes == "x");
}

TEST_CASE("a consumer that cannot be stored is refused and leaves nothing behind") {
  FakeNode node;
  node.store.failing = true;
  node.open({.filters = {"a"}, .name = "c"});
  node.run();
  CHECK(node.words() == "ended:io");

  node.store.failing = false;
  node.broker->remove_consumer("c", node.inbox, 1);
  node.open({.filters = {"a"}, .name = "c"});
  node.run();
  CHECK(node.words() == "removed:not_found opened");
}

TEST_CASE("an existing consumer keeps its filters when none are given, else takes the new ones") {
  FakeNode node;
  node.broker->close_subscription(node.open({.filters = {"a"}, .name = "c"}));
  node.broker->close_subscription(node.open({.filters = {"a"}, .name = "c"}));
  node.run();
  const SubscriptionId id = node.open({.name = "c"});
  node.run();
  node.commit(1, {"a", "b"});
  node.run();
  CHECK(node.words() == "ended:closed ended:closed opened 1/1");
  node.broker->close_subscription(id);

  node.open({.filters = {"b"}, .name = "c"});
  node.commit(1, {"b"});
  node.run();

  CHECK(node.words() == "ended:closed opened 1/3");
}

TEST_CASE("a filter that is added matches what is recorded from then on") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"a"}, .in_flight_max = 1});
  node.commit(1, {"a", "b", "a"});
  node.run();
  node.broker->change(id, {"a", "b"}, "");
  node.commit(1, {"b"});

  std::string got;
  for (std::uint64_t seq : {1, 3, 4}) {
    node.run();
    got += node.words() + ", ";
    const Position position(1, seq);
    node.broker->settle(id, {&position, 1}, Settle::Ack, {});
  }

  CHECK(got == "opened 1/1 changed, 1/3, 1/4, ");
}

TEST_CASE("a consumer without filters is handed nothing, also when it is behind") {
  FakeNode node;
  const SubscriptionId id = node.open({.name = "c"});
  node.run();
  node.broker->close_subscription(id);
  node.commit(1, {"a", "b"});
  node.start();

  node.open({.name = "c"});
  node.run();

  CHECK(node.words() == "opened ended:closed opened");
}

TEST_CASE("batches that were dropped on the way are read from the disk") {
  FakeNode node;
  node.open({.filters = {"#"}});
  node.run();
  node.commit(1, {"a"});
  node.commit(1, {"b", "c"}, true);
  node.run(true);
  node.commit(1, {"d"});
  node.run();

  CHECK(node.words() == "opened 1/1 1/2 1/3 1/4");
}

TEST_CASE("a log whose first batches were dropped before it was told of is read whole") {
  FakeNode node;
  node.open({.filters = {"#"}});
  node.run();
  node.store.events[1] = {{"a", node.clock.wall_time + 1ms}, {"b", node.clock.wall_time + 1ms}};
  const Position head(1, 2);
  node.broker->on_dropped({&head, 1}, node.clock.wall_time);
  node.broker->on_log_opened({.no = 1, .id = {"n", "1-x", "events"}, .open = true});
  node.run();

  CHECK(node.words() == "opened 1/1 1/2");
}

TEST_CASE("no more reads than allowed are with the disk at a time") {
  FakeNode node({}, 3);
  node.commit(1, {"a", "b"});
  node.start();  // the tail is empty
  for (int i = 0; i < 20; ++i) node.open({.filters = {"#"}, .start = Start{Start::At::Earliest}});
  node.run();

  CHECK(node.store.reads.size() == 20);
  CHECK(node.store.reads_open_most == 3);
}

TEST_CASE("a read that fails is tried again") {
  FakeNode node;
  node.commit(1, {"a"});
  node.start();
  node.open({.filters = {"#"}, .start = Start{Start::At::Earliest}});
  node.store.failing = true;
  node.run();
  CHECK(node.words() == "opened");

  node.store.failing = false;
  node.pass(5s);

  CHECK(node.words() == "1/1");
}

TEST_CASE("a reader starts at a number or a time") {
  FakeNode node;
  node.commit(1, {"a", "b"});
  node.commit(1, {"c"});
  const WallTime then = node.clock.wall_time;
  node.commit(1, {"d"});
  node.start();
  node.open({.filters = {"#"}, .start = Start{.at = Start::At::Seq, .seq = 4}});
  node.run();
  CHECK(node.words() == "opened 1/4");

  node.open({.filters = {"#"}, .start = Start{.at = Start::At::Time, .time = then}});
  node.run();
  CHECK(node.words() == "opened 1/3 1/4");
}

TEST_CASE("an idle consumer's cursor follows events that do not match, once a second") {
  FakeNode node;
  node.open({.filters = {"a"}, .name = "c"});
  node.run();
  for (int i = 0; i < 50; ++i) {
    node.commit(1, {"b"});
    node.run();
  }
  CHECK(node.store.saves.empty());

  node.pass(3s);

  REQUIRE(node.store.saves.size() == 1);
  CHECK(node.store.saves.front().front().upto == 50);
  CHECK(node.broker->wake_at().value() > node.clock.steady + 50min);
}

TEST_CASE("a consumer with a member is seen again and again, also when nothing moves") {
  FakeNode node;
  node.open({.filters = {"a"}, .name = "c"});
  node.open({.filters = {"a"}, .name = "away"});
  node.run();
  node.broker->close_subscription(2);

  node.pass(24h * 31);

  const WallTime now = node.clock.wall_time;
  CHECK(now - node.store.records.at(1).seen < 3h);
  CHECK(now - node.store.records.at(2).seen > 24h * 30);
}

TEST_CASE("filters that could not be stored are stored when they are asked for again") {
  FakeNode node;
  node.broker->close_subscription(node.open({.filters = {"a"}, .name = "c"}));
  node.run();
  node.store.failing = true;
  node.open({.filters = {"b"}, .name = "c"});
  node.run();
  CHECK(node.words() == "ended:closed ended:io");

  node.store.failing = false;
  node.open({.filters = {"b"}, .name = "c"});
  node.run();

  CHECK(node.words() == "opened");
  CHECK(node.store.records.at(1).filters.front().filter == "b");
}

TEST_CASE("the longest ack_wait and delay there are mean never") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"#"}, .ack_wait = Duration::max()});
  node.commit(1, {"a", "b"});
  node.run();
  const Position position(1, 2);

  node.broker->settle(id, {&position, 1}, Settle::Nack, Duration::max());
  node.run();
  node.pass(1h);

  CHECK(node.words() == "opened 1/1 1/2");
}

TEST_CASE("settlements of one round become one cursor move") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"#"}, .name = "c"});
  node.run();
  node.commit(1, {"a", "b", "c", "d"});
  node.run();
  for (const std::uint64_t seq : {2, 1, 4}) {
    const Position position(1, seq);
    node.broker->settle(id, {&position, 1}, Settle::Ack, {});
  }
  node.run();

  REQUIRE(node.store.saves.size() == 1);
  REQUIRE(node.store.saves[0].size() == 1);
  CHECK(node.store.saves[0][0].upto == 2);
}

TEST_CASE("a refusal says which limit it was") {
  Limits limits;
  limits.filters_per_consumer_max = 2;
  limits.in_flight_max = 10;
  limits.consumers_max = 1;
  FakeNode node(limits);
  node.open({.filters = {"a", "b", "c"}, .in_flight_max = 1});
  node.open({.filters = {"a/#/b"}, .in_flight_max = 1});
  node.open({.filters = {"a"}, .in_flight_max = 11});
  node.open({.filters = {"a"}, .in_flight_max = 0});
  node.open({.filters = {"a"}, .name = "a/b", .in_flight_max = 1});
  node.open({.filters = {"a"}, .in_flight_max = 1});
  node.open({.filters = {"a"}, .in_flight_max = 1});
  node.run();

  CHECK(node.words() ==
        "ended:too_large ended:invalid ended:too_large ended:invalid "
        "ended:invalid opened ended:too_large");
}

TEST_CASE("status knows the backlog of a consumer that is away, and how old it is") {
  FakeNode node;
  node.broker->close_subscription(node.open({.filters = {"a"}, .name = "c"}));
  node.run();
  node.commit(1, {"b", "b", "a", "b", "a"});
  node.start();  // as after a restart: nothing is known but the cursor
  node.clock.advance(10s);
  std::string text;
  node.broker->status_json([&](std::string json) { text = std::move(json); });
  node.run();

  const auto status = nlohmann::json::parse(text);
  const auto& consumer = status.at("consumers").at(0);
  CHECK(consumer.at("name") == "c");
  CHECK(consumer.at("backlog") == 3);
  CHECK_FALSE(consumer.at("backlog_exact").get<bool>());
  CHECK(consumer.at("oldest_age_s").get<double>() == doctest::Approx(10));
  CHECK(consumer.at("drain_s").is_null());
  CHECK(status.at("streams").at(0).at("events") == 5);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::test
