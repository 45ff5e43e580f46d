// Who is known, and who is missed.

#include "core/mesh/roll.h"

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

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
  next.look(none, true, three.now);
  CHECK(next.complete_since());
  three.pass(std::chrono::days(31));
  CHECK(next.look(none, true, three.now));
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

TEST_CASE("a node that was off for long leaves the others a day to come back") {
  Three three;
  Roll roll({.node_id = "a"});
  roll.look(three.map, true, three.now);
  three.pass(std::chrono::days(40));
  Map none({.node_id = "a"}, 0);
  Roll next = three.restarted(roll);

  three.pass(23h);
  next.look(none, true, three.now);
  CHECK_FALSE(next.complete_since());
  three.pass(1h);
  next.look(none, true, three.now);
  CHECK(next.complete_since());
}

TEST_CASE("who is new shows that not all were here") {
  Three three;
  Roll roll({.node_id = "a"});
  roll.look(three.map, true, three.now);
  three.pass(1h);

  three.map.take(record("b", 2, {{"a", 1}, {"c", 1}, {"d", 1}}), three.now.steady);
  three.map.take(record("d", 1, {{"b", 1}}), three.now.steady);
  roll.look(three.map, true, three.now);

  CHECK(roll.complete_since() == three.now.steady);
}

TEST_CASE("with more nodes than can be remembered it cannot be said that all are here") {
  Three three;
  Roll roll({.node_id = "a", .nodes_max = 1});

  roll.look(three.map, true, three.now);

  CHECK_FALSE(roll.complete_since());
  CHECK(roll.days().size() == 1);
}

TEST_CASE("whom others miss is missed here too") {
  Three three;
  Roll roll({.node_id = "a"});
  wire::MapRecord b = record("b", 2, {{"a", 1}, {"c", 1}});
  b.misses = true;
  three.map.take(b, three.now.steady);
  roll.look(three.map, true, three.now);
  CHECK_FALSE(roll.complete_since());

  b.misses = false;
  b.number = 3;
  const std::uint64_t version = three.map.version();
  three.map.take(b, three.now.steady);
  CHECK(three.map.version() != version);
  roll.look(three.map, true, three.now);
  CHECK(roll.complete_since());
}

TEST_CASE("a node tells that somebody is missed of whom no record tells") {
  const auto tells = [](bool in_map) {
    OneNode node({}, {}, {.backfills = {}, .holds = {}, .facts = {.nodes = {{"gone", 20'700}}}});
    const SessionId first = node.greet("first");
    node.greet("second");
    node.say(first, wire::State{{}, {record("first", 1, {{"node", 1}})}});
    if (in_map) node.say(first, wire::State{{}, {record("gone", 1)}});
    node.run(3s);
    const auto states = node.said<wire::State>(first);
    REQUIRE(!states.empty());
    for (auto state = states.rbegin(); state != states.rend(); ++state) {
      for (const wire::MapRecord& one : state->records) {
        if (one.node_id == "node") return one.misses;
      }
    }
    FAIL("the node has said nothing of itself");
    return false;
  };

  CHECK(tells(false));
  CHECK_FALSE(tells(true));
}

TEST_CASE("who is not to come back is not missed") {
  Three three;
  Roll roll({.node_id = "a"});
  roll.look(three.map, true, three.now);
  Map none({.node_id = "a"}, 0);

  roll.forget("b", three.now.steady);
  roll.forget("c", three.now.steady);
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

  CHECK(saved().at("peer") < 0);
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
