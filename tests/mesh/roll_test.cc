// Who is known and away, and what is not waited for when all are here.

#include "core/mesh/roll.h"

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

// A node `a` with a link to `b`, and on the other side of that `c`.
struct Three {
  Three() {
    map.take(record("b", 1, {{"a", 1}, {"c", 1}}), now.steady);
    map.take(record("c", 1, {{"b", 1}}), now.steady);
    come();
  }
  void come() { map.set_links({{"b", 1}}); }
  void go() { map.set_links({}); }
  void pass(Duration time) {
    now.steady += time;
    now.wall += time;
  }
  // The roll of the node's next run, which has heard of nobody.
  Roll restarted(const Roll& roll, bool clock_suspect = false) const {
    Roll next({.node_id = "a", .clock_suspect = clock_suspect});
    next.load(roll.days(), now);
    return next;
  }

  Map map{{.node_id = "a"}, 0};
  Now now{TimePoint(1h), WallTime{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)}};
};

TEST_SUITE_BEGIN("mesh/roll");

TEST_CASE("all are here while every node that is known can be reached") {
  Three three;
  Roll roll({.node_id = "a"});
  CHECK(roll.look(three.map, true, three.now));
  const TimePoint first = three.now.steady;
  CHECK(roll.complete_since() == first);

  three.pass(1min);
  CHECK_FALSE(roll.look(three.map, true, three.now));
  CHECK(roll.complete_since() == first);
  three.go();
  roll.look(three.map, true, three.now);
  CHECK_FALSE(roll.complete_since());
  three.come();
  three.pass(1min);
  roll.look(three.map, true, three.now);
  CHECK(roll.complete_since() == three.now.steady);
  roll.look(three.map, false, three.now);
  CHECK_FALSE(roll.complete_since());
}

TEST_CASE("who was known before a restart is missed for thirty days") {
  Three three;
  Roll roll({.node_id = "a"});
  roll.look(three.map, true, three.now);
  three.pass(std::chrono::days(10));
  Map none({.node_id = "a"}, 0);
  Roll next = three.restarted(roll);

  CHECK_FALSE(next.look(none, true, three.now));
  CHECK_FALSE(next.complete_since());
  three.pass(std::chrono::days(19));
  next.look(none, true, three.now);
  CHECK_FALSE(next.complete_since());
  three.pass(std::chrono::days(2));
  CHECK(next.look(none, true, three.now));
  CHECK(next.complete_since());
  CHECK(next.days().empty());
}

TEST_CASE("who has been away for thirty days is not missed, though others tell of him") {
  Three three;
  Roll roll({.node_id = "a"});
  three.go();
  roll.look(three.map, true, three.now);
  CHECK_FALSE(roll.complete_since());

  three.pass(std::chrono::days(31));
  for (int i = 0; i < 2; ++i) {
    roll.look(three.map, true, three.now);
    CHECK(roll.complete_since());
  }
}

TEST_CASE("a clock that is wrong at the start makes nobody forgotten") {
  Three three;
  Roll roll({.node_id = "a"});
  roll.look(three.map, true, three.now);
  Map none({.node_id = "a"}, 0);

  three.now.wall += std::chrono::days(400);
  Roll suspect = three.restarted(roll, true);
  suspect.look(none, true, three.now);
  CHECK_FALSE(suspect.complete_since());
  three.now.wall -= std::chrono::days(20'000);
  Roll behind = three.restarted(roll);
  behind.look(none, true, three.now);
  CHECK_FALSE(behind.complete_since());
}

TEST_CASE("who is not to come back is not missed") {
  Three three;
  Roll roll({.node_id = "a"});
  roll.look(three.map, true, three.now);
  Map none({.node_id = "a"}, 0);

  CHECK(roll.forget("b"));
  CHECK(roll.forget("c"));
  CHECK_FALSE(roll.forget("c"));
  roll.look(none, true, three.now);

  CHECK(roll.complete_since());
}

TEST_CASE("a revoked node is not missed after a restart either") {
  OneNode node;
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::State{{}, {record("peer", 1, {{"node", 1}})}});
  node.run(1s);
  const auto saved = [&] {
    MeshFacts facts;
    for (const Action& action : node.out) {
      if (const auto* const save = std::get_if<SaveFacts>(&action)) facts = save->facts;
    }
    return facts.nodes;
  };
  CHECK(saved().contains("peer"));

  node.mesh->revoke("peer", node.now, node.out);
  node.tick();

  CHECK(saved().empty());
}

// The hub asks for all that there ever was, as for what was promised to it.
TEST_CASE("a hub that joins late waits for history while somebody who may have it is away") {
  using sim::World;
  World world({.seed = 21, .stuck_max = 20s});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"#"});
  world.node(b).publish("alarm/x");  // so that it is in the map
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());
  world.node(a).trim_now(0s);
  world.node(b).trim_now(0s);
  const auto waits = [&](std::size_t node) { return world.node(node).mesh().status().holes; };

  const std::size_t hub = world.add_node({a}, {.carry = {"*"}});
  world.run_for(5s);
  REQUIRE(waits(hub).size() == 1);
  CHECK(waits(hub).front().to == 10);
  world.crash(b);
  world.run_for(60s);
  CHECK(waits(hub).size() == 1);
  for (const std::size_t node : {a, hub}) world.crash(node);
  for (const std::size_t node : {a, hub}) world.start(node);
  world.run_for(60s);
  CHECK(waits(hub).size() == 1);
  world.start(b);
  world.run_for(60s);

  CHECK(waits(hub).empty());
  world.node(a).publish("t/x", 5);
  CHECK(world.settle());
  CHECK(world.node(b).delivered(1).size() == 16);
}

TEST_CASE("who does not know where a node is passes the question on towards it") {
  OneNode node;
  const SessionId near = node.greet("near");
  node.say(near, wire::State{{},
                             {record("near", 1, {{"node", 1}, {"far", 1}}),
                              record("far", 1, {{"near", 1}})}});
  const SessionId asker = node.greet("asker");
  node.run(1s);
  const auto questions = [&](SessionId session) {
    std::vector<std::string> asked;
    for (const wire::Peers& peers : node.said<wire::Peers>(session)) {
      for (const wire::PeerRecord& one : peers.peers) {
        if (one.addresses.empty()) asked.push_back(one.node_id);
      }
    }
    return asked;
  };

  node.out.clear();
  node.say(asker, wire::Peers{{{"far", "", {}, {}}, {"nobody", "", {}, {}}}});
  CHECK(questions(near) == std::vector<std::string>{"far"});
  CHECK(questions(asker).empty());
  node.out.clear();
  node.say(near, wire::Peers{{{"far", "", {}, {}}}});
  CHECK(questions(near).empty());
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
