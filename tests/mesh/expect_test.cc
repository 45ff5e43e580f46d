// What is held for a peer before there is any log, since it has said what it will want; and what
// a node that carries streams asks for when it has had and trimmed it.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/mesh/check_whole.h"
#include "tests/mesh/one_node.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;
using sim::check_whole;
using sim::World;

StreamTable two_streams() {
  return *StreamTable::make({{.name = "alarms", .topics = {"alarm/#"}}, {.name = "events"}},
                            Durability::Fsync);
}

// A node whose peer comes and says what it expects.
struct Held : OneNode {
  Held() : OneNode({.streams = two_streams()}), session(greet("peer")) {}

  // By stream, of the peer.
  std::set<std::string> held() const {
    std::set<std::string> streams;
    for (const HoldStatus& hold : mesh->status().holds) streams.insert(hold.stream);
    return streams;
  }

  SessionId session;
};

void trim_all(World& world) {
  for (std::size_t i = 0; i < world.size(); ++i) {
    if (world.node(i).up()) world.node(i).trim_now(0s);
  }
}

// Node a alone has the stream "state", b is a relay, and at c a reader waits for it.
struct BehindRelay {
  explicit BehindRelay(sim::WorldOptions options) : world(options) {
    const auto streams = StreamTable::make(
        {{.name = "state", .topics = {"state/#"}}, {.name = "events"}}, Durability::Fsync);
    a = world.add_node({}, {.streams = *streams});
    b = world.add_node({a});
    c = world.add_node({b});
    world.node(c).subscribe(1, {"state/1/#"});
    CHECK(world.settle());
  }

  World world;
  std::size_t a = 0;
  std::size_t b = 0;
  std::size_t c = 0;
};

TEST_SUITE_BEGIN("mesh/expect");

TEST_CASE("a stream that is expected is held before anything is written, others are not") {
  Held node;
  node.say(node.session, wire::Expect{{"alarm/1/+"}, {}});
  CHECK(node.held() == std::set<std::string>{"alarms", "events"});  // which takes any topic

  node.say(node.session, wire::Expect{{}, {"alarms"}});
  CHECK(node.held() == std::set<std::string>{"alarms"});

  node.say(node.session, wire::Expect{});
  CHECK(node.held().empty());
}

TEST_CASE("what a peer expects goes with its key, but not with its session") {
  Held node;
  node.say(node.session, wire::Expect{{}, {"*"}});
  node.mesh->on_session_down(node.session, {Errc::Unreachable, "cut"}, node.now, node.out);
  node.tick();
  CHECK(node.held().size() == 2);

  node.mesh->revoke("peer", node.now, node.out);
  node.mesh->on_log_opened({.no = 1, .id = {"node", "1-x", "events"}, .open = true}, node.now,
                           node.out);
  node.tick();
  CHECK(node.held().empty());
}

TEST_CASE("a filter that is none ends the session of who says that it expects it") {
  Held node;
  node.say(node.session, wire::Expect{{"a/#/b"}, {}});
  REQUIRE(node.hung_up(node.session));
  CHECK(node.held().empty());
}

TEST_CASE("a node tells its peers what its durable readers and its streams to carry are") {
  OneNode node({.carry = {"alarms"}});
  node.mesh->put_interest({.id = 1, .durable = true, .filters = {{"a/#", {}}, {"a/b", {}}}},
                          node.now, node.out);
  node.mesh->put_interest({.id = 2, .durable = false, .filters = {{"c", {}}}}, node.now, node.out);
  const SessionId session = node.greet("peer");
  CHECK(node.said<wire::Expect>(session).back() == wire::Expect{{"a/#"}, {"alarms"}});

  node.mesh->put_interest({.id = 3, .durable = true, .filters = {{"d", {}}}}, node.now, node.out);
  node.run(2s);
  CHECK(node.said<wire::Expect>(session).back() == wire::Expect{{"a/#", "d"}, {"alarms"}});
  node.mesh->drop_interest(1, node.now, node.out);
  node.run(2s);
  CHECK(node.said<wire::Expect>(session).back() == wire::Expect{{"d"}, {"alarms"}});
  const std::size_t told = node.said<wire::Expect>(session).size();
  node.mesh->drop_interest(2, node.now, node.out);
  node.run(2s);
  CHECK(node.said<wire::Expect>(session).size() == told);
}

// A relay that was started again: a holds for it what it had asked for on behalf of b.
struct Restarted : OneNode {
  Restarted() : a(greet("a")) {
    say(a, wire::Held{"s", {{kOfA, 0}}});
    say(a, wire::State{});
  }
  void run_and_hear(Duration time) {
    for (const TimePoint end = now.steady + time; now.steady < end;) {
      run(1s);
      for (SessionId id = 1; id <= sessions; ++id) say(id, wire::Have{});
    }
  }
  bool lets_go() const {
    const auto all = said<wire::Release>(a);
    return std::any_of(all.begin(), all.end(),
                       [](const wire::Release& one) { return one.logs.empty(); });
  }

  static inline const LogId kOfA{"a", "1-x", "s"};
  SessionId a;
};

TEST_CASE("what was asked for on behalf of a node that is not back yet is not let go of") {
  Restarted node;
  node.run_and_hear(20s);
  CHECK_FALSE(node.lets_go());

  const SessionId b = node.greet("b");
  node.say(b,
           wire::Want{.number = 1, .log = Restarted::kOfA, .standing = true, .from = {.seq = 1}});
  node.run_and_hear(40s);
  CHECK_FALSE(node.lets_go());
}

TEST_CASE("what nobody comes back for is let go of in a while") {
  Restarted node;
  node.run_and_hear(35s);
  CHECK(node.lets_go());
}

TEST_CASE("who comes while what is expected changes and changes back is told of both") {
  OneNode node;
  const Interest interest{.id = 1, .durable = true, .filters = {{"a", {}}}};
  node.mesh->put_interest(interest, node.now, node.out);
  node.greet("first");
  node.mesh->drop_interest(1, node.now, node.out);
  const SessionId second = node.greet("second");
  REQUIRE(node.said<wire::Expect>(second).back() == wire::Expect{});

  node.mesh->put_interest(interest, node.now, node.out);
  node.run(2s);
  CHECK(node.said<wire::Expect>(second).back() == wire::Expect{{"a"}, {}});
}

TEST_CASE("more filters than a frame takes are said as all") {
  OneNode node;
  Interest interest{.id = 1, .durable = true};
  for (std::size_t i = 0; i <= wire::kLinkFiltersMax; ++i) {
    interest.filters.push_back({"t/" + std::to_string(i), {}});
  }
  node.mesh->put_interest(interest, node.now, node.out);
  const SessionId session = node.greet("peer");
  CHECK(node.said<wire::Expect>(session).back() == wire::Expect{{"#"}, {}});
}

TEST_CASE("the first events of all wait for a durable reader whose node is away") {
  World world({.seed = 31});
  const std::size_t a = world.add_node({});
  const std::size_t c = world.add_node({a});
  world.node(c).subscribe(1, {"#"});
  CHECK(world.settle());
  world.crash(c);
  world.run_for(2s);

  world.node(a).publish("t/x", 30);
  world.node(a).publish("alarm/x", 5);
  world.run_for(60s);
  trim_all(world);
  world.start(c);

  check_whole(world);
  CHECK(world.node(c).delivered(1).size() == 35);
}

TEST_CASE("the first events of all are held where the origin was started again meanwhile") {
  World world({.seed = 32});
  const std::size_t a = world.add_node({});
  const std::size_t hub = world.add_node({a}, {.carry = {"events"}});
  CHECK(world.settle());
  for (const std::size_t node : {hub, a}) world.crash(node);
  world.start(a);
  world.node(a).publish("t/x", 20);
  world.run_for(60s);
  trim_all(world);
  world.start(hub);

  check_whole(world);
  CHECK(world.copied == 20);
}

TEST_CASE("a relay asks for the first events of all for a reader's node that is away") {
  BehindRelay line({.seed = 33});
  World& world = line.world;
  world.crash(line.c);
  world.run_for(2s);

  world.node(line.a).publish("state/1/x", 30);
  CHECK(world.settle());
  trim_all(world);
  world.crash(line.a);
  world.start(line.c);

  check_whole(world);
  CHECK(world.node(line.c).delivered(1).size() == 30);
}

TEST_CASE("a reader's node that is gone for good is held for no longer than others") {
  World world({.seed = 34, .hold_away_max = 1h});
  const std::size_t a = world.add_node({});
  const std::size_t c = world.add_node({a});
  world.node(c).subscribe(1, {"#"});
  CHECK(world.settle());
  world.crash(c);
  world.run_for(2h);
  world.node(a).publish("t/x", 30);
  world.run_for(60s);

  CHECK(world.node(a).mesh().status().holds.empty());
}

TEST_CASE("a stream that begins while a reader's node is away is held for no longer than others") {
  BehindRelay line({.seed = 36, .hold_away_max = 1h});
  World& world = line.world;
  const auto held = [&] {
    const auto holds = world.node(line.b).mesh().status().holds;
    return std::any_of(holds.begin(), holds.end(),
                       [](const HoldStatus& hold) { return hold.stream == "state"; });
  };
  world.crash(line.c);
  world.run_for(50min);
  world.node(line.a).publish("state/1/x", 30);
  world.run_for(5min);
  CHECK(held());

  world.run_for(10min);
  CHECK_FALSE(held());
}

TEST_CASE("nothing more is held for a node whose last durable reader is gone") {
  World world({.seed = 37});
  const std::size_t a = world.add_node({});
  const std::size_t c = world.add_node({a});
  world.node(c).subscribe(1, {"#"});
  world.node(a).publish("t/x", 30);
  CHECK(world.settle());
  CHECK_FALSE(world.node(a).mesh().status().holds.empty());
  world.node(c).unsubscribe(1);
  world.run_for(60s);

  CHECK(world.node(a).mesh().status().holds.empty());
}

TEST_CASE("what a node carried and has trimmed it does not ask for again") {
  World world({.seed = 35});
  const std::size_t a = world.add_node({});
  const std::size_t hub = world.add_node({a}, {.carry = {"*"}});
  world.node(a).publish("t/x", 50);
  CHECK(world.settle());
  world.run_for(10min);  // a copy that is new is left alone
  world.node(hub).trim_now(0s);
  CHECK(world.node(hub).store().logs().front().events == 0);
  world.run_for(60s);
  CHECK(world.copied == 50);

  world.crash(hub);
  world.start(hub);
  world.run_for(60s);
  world.crash(a);
  world.start(a);
  world.node(a).publish("t/x", 5);

  check_whole(world);
  CHECK(world.copied == 55);
  CHECK(world.node(hub).mesh().status().holes.empty());
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
