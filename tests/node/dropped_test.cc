// Events that went before somebody had them: memory has them still, and hands out none.
#include <nlohmann/json.hpp>

#include "tests/node/fake_store.h"

namespace marram::test {

namespace {

TEST_SUITE_BEGIN("node/dropped");

// A durable one, whose reader has been here and is away.
void leave_consumer(FakeNode& node) {
  const SubscriptionId reader = node.open({.filters = {"a"}, .name = "c"});
  node.run();
  node.broker->close_subscription(reader);
}

nlohmann::json consumer_of(FakeNode& node) {
  nlohmann::json status;
  node.broker->status_json(
      [&](const std::string& text) { status = nlohmann::json::parse(text)["consumers"][0]; });
  node.run();
  return status;
}

TEST_CASE("what was dropped while nobody read it is a gap, not an event from memory") {
  FakeNode node;
  leave_consumer(node);
  node.commit(1, {"a", "a"});
  node.commit(1, {"a", "a"});
  node.words();

  node.drop(1, 3);
  node.open({.filters = {"a"}, .name = "c"});
  node.run();

  CHECK(node.words() == "opened gap:1/1-3:ttl 1/4");
}

TEST_CASE("each gap has the reason for which its events were dropped") {
  FakeNode node;
  leave_consumer(node);
  node.commit(1, {"a", "a", "a", "a"});
  node.words();

  node.drop(1, 1, "drop_oldest");
  node.drop(1, 3, "ttl");
  node.open({.filters = {"a"}, .name = "c"});
  node.run();

  CHECK(node.words() == "opened gap:1/1-1:drop_oldest gap:1/2-3:ttl 1/4");
}

TEST_CASE("a reader that has its window full gets a gap for what is dropped behind it") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"a"}, .name = "c", .in_flight_max = 2});
  node.run();
  node.commit(1, {"a", "a", "a", "a", "a"});
  node.run();
  REQUIRE(node.words() == "opened 1/1 1/2");

  node.drop(1, 4, "drop_oldest");
  node.broker->settle(id, std::vector{Position(1, 1), Position(1, 2)}, Settle::Ack, {});
  node.run();
  node.broker->on_cursors_saved(node.store.saves.back());
  node.run();

  CHECK(node.words() == "gap:1/3-4:drop_oldest 1/5");
}

TEST_CASE("what was handed out and failed does not come again once it is dropped") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"a"}, .name = "c"});
  node.run();
  node.commit(1, {"a", "a"});
  node.run();
  REQUIRE(node.words() == "opened 1/1 1/2");

  node.drop(1, 1);
  node.broker->settle(id, std::vector{Position(1, 1), Position(1, 2)}, Settle::Nack, {});
  node.run();

  CHECK(node.words() == "gap:1/1-1:ttl 1/2*");
}

TEST_CASE("what was read from disk and dropped before it was handed out is a gap") {
  FakeNode node;
  leave_consumer(node);
  node.commit(1, {"a", "a", "a"}, true);
  node.words();
  node.open({.filters = {"a"}, .name = "c"});
  node.broker->flush();
  REQUIRE(node.store.work.size() == 1);

  node.store.work.front()();  // the answer is on its way
  node.store.work.pop_front();
  node.drop(1, 2);
  node.run();

  CHECK(node.words() == "opened gap:1/1-2:ttl 1/3");
}

TEST_CASE("an answer that knows of the drop already has its gaps once") {
  FakeNode node;
  leave_consumer(node);
  node.commit(1, {"a", "a", "a"}, true);
  node.words();
  node.drop(1, 1, "drop_oldest");
  node.drop(1, 2, "ttl");
  node.open({.filters = {"a"}, .name = "c"});
  node.run();

  CHECK(node.words() == "opened gap:1/1-1:drop_oldest gap:1/2-2:ttl 1/3");
}

TEST_CASE("dropped events are no backlog, and the oldest event is one that is stored") {
  FakeNode node;
  leave_consumer(node);
  node.commit(1, {"a", "a"});
  node.clock.advance(10s);
  node.commit(1, {"a"});
  node.clock.advance(5s);
  REQUIRE(consumer_of(node)["backlog"] == 3);
  REQUIRE(consumer_of(node)["oldest_age_s"] > 14.0);

  node.drop(1, 2);
  CHECK(consumer_of(node)["backlog"] == 1);
  CHECK(consumer_of(node)["oldest_age_s"] < 6.0);
  node.drop(1, 3);
  CHECK(consumer_of(node)["backlog"] == 0);
  CHECK(consumer_of(node)["oldest_age_s"] == 0.0);
}

TEST_CASE("what a backfill brings again of what was dropped is handed out") {
  FakeNode node;
  leave_consumer(node);
  node.commit(1, {"a", "a", "a"});
  node.words();
  node.drop(1, 2);

  node.store.gaps.clear();
  node.broker->on_backfilled({.no = 1, .first = 1, .head = 3});
  node.open({.filters = {"a"}, .name = "c"});
  node.run();

  CHECK(node.words() == "opened 1/1 1/2 1/3");
}

TEST_CASE("history that went is still handed out from memory to who is behind") {
  FakeNode node;
  const SubscriptionId id = node.open({.filters = {"a"}, .in_flight_max = 1});
  node.run();
  node.commit(1, {"a", "a"});
  node.run();
  REQUIRE(node.words() == "opened 1/1");

  node.broker->on_trimmed(1, 3, {1, 1, 2, "retention"}, 0);
  node.broker->settle(id, std::vector{Position(1, 1)}, Settle::Ack, {});
  node.run();

  CHECK(node.words() == "1/2");
}

}  // namespace

}  // namespace marram::test
