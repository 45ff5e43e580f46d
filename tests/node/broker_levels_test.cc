// Publishers that wait until their events have come further than this node.
#include "tests/node/fake_store.h"

namespace marram::test {

namespace {

// A node whose broker is asked about levels.
struct Asking {
  explicit Asking(bool mesh = false) : node({}, 16, mesh) {}
  FakeNode node;
  std::string words;  // "a" reached, "a!" pending, "a:not_found" refused

  void ask(const std::string& who, const std::string& level, std::vector<Position> positions,
           Duration patience = 10s) {
    node.broker->await_level(*parse_level(level), positions, patience, [this, who](auto reached) {
      words += (words.empty() ? "" : " ") + who;
      if (!reached) words += ":" + std::string(name(reached.error().code));
      if (reached && !*reached) words += "!";
    });
  }
};

}  // namespace

TEST_SUITE_BEGIN("node/broker_levels");

TEST_CASE("an event is delivered when its route's consumer has settled it") {
  Asking asking;
  FakeNode& node = asking.node;
  const SubscriptionId route = node.open({.filters = {"a"}, .name = "route:cloud"});
  node.run();
  node.commit(1, {"a", "b", "a"});
  node.run();
  asking.ask("first", "delivered:cloud", {Position(1, 1)});
  asking.ask("last", "delivered:cloud", {Position(1, 3)});
  CHECK(asking.words == "");

  const Position one(1, 1);
  node.broker->settle(route, {&one, 1}, Settle::Ack, {});
  node.run();
  CHECK(asking.words == "first");
  const Position three(1, 3);
  node.broker->settle(route, {&three, 1}, Settle::Ack, {});
  node.run();

  CHECK(asking.words == "first last");
}

TEST_CASE("what a route does not want, or has had before it is asked about, is delivered") {
  Asking asking;
  FakeNode& node = asking.node;
  node.open({.filters = {"a"}, .name = "route:cloud"});
  node.run();
  node.commit(1, {"b"});
  node.run();

  asking.ask("other", "delivered:cloud", {Position(1, 1)});

  CHECK(asking.words == "other");
}

TEST_CASE("what is not delivered in time is pending, and the route goes on") {
  Asking asking;
  FakeNode& node = asking.node;
  node.open({.filters = {"a"}, .name = "route:cloud"});
  node.run();
  node.commit(1, {"a"});
  node.run();
  asking.ask("late", "delivered:cloud", {Position(1, 1)}, 2s);

  node.pass(1s);
  CHECK(asking.words == "");
  node.pass(2s);

  CHECK(asking.words == "late!");
}

TEST_CASE("an event is replicated when so many peers have stored it") {
  Asking asking(true);
  FakeNode& node = asking.node;
  node.commit(1, {"a", "a", "a"});
  asking.ask("one", "replicated:1", {Position(1, 2)});
  asking.ask("two", "replicated:2", {Position(1, 2)});

  node.broker->on_replicated({.log = 1, .stored = {{1, 2}, {1, 1}}});
  CHECK(asking.words == "one");
  node.broker->on_replicated({.log = 1, .stored = {{1, 3}, {1, 2}}});
  CHECK(asking.words == "one two");
  asking.ask("again", "replicated:2", {Position(1, 1)});

  CHECK(asking.words == "one two again");
}

TEST_CASE("who began with a log behind an event has no copy of it") {
  Asking asking(true);
  asking.node.commit(1, {"a", "a", "a"});
  asking.ask("before", "replicated:1", {Position(1, 1)});
  asking.ask("after", "replicated:1", {Position(1, 3)});

  asking.node.broker->on_replicated({.log = 1, .stored = {{2, 3}}});
  CHECK(asking.words == "after");
  asking.ask("again", "replicated:1", {Position(1, 1)});
  CHECK(asking.words == "after");
  asking.node.broker->on_replicated({.log = 1, .stored = {{2, 3}, {1, 3}}});
  CHECK(asking.words == "after before again");
}

TEST_CASE("a level that cannot be had here is refused, asked about or not") {
  Asking asking;

  asking.ask("a", "replicated:1", {});
  asking.ask("b", "replicated:1", {Position(1, 1)});
  asking.ask("c", "delivered:cloud", {});
  asking.ask("d", "stored", {Position(1, 1)});

  CHECK(asking.words == "a:unsupported b:unsupported c:not_found d");
}

TEST_SUITE_END();

}  // namespace marram::test
