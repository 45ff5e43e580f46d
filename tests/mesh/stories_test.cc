// Stories that broke earlier versions of the mesh's rules in a model, told by the
// simulator.  A, B, C are nodes.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/mesh/check_whole.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

namespace {

using namespace std::chrono_literals;

wire::Begin from_seq(std::uint64_t seq) { return {wire::Begin::At::Seq, seq, {}}; }

TEST_SUITE_BEGIN("mesh/stories");

TEST_CASE("what is published at one node reaches a reader two hops away, once") {
  World world({.seed = 1});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  world.node(c).subscribe(1, {"#"});
  world.run_for(3s);

  for (int i = 0; i < 10; ++i) {
    world.node(a).publish("t/x", 10);
    world.run_for(200ms);
  }

  check_whole(world);
  CHECK(world.node(c).delivered(1).size() == 100);
  CHECK(world.crossed == 200);
}

TEST_CASE("a path that comes back while its connection is stuck is used at once") {
  World world({.seed = 20});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"#"});
  world.node(a).publish("t/x", 10);
  world.run_for(3s);
  world.node(a).publish("t/x", 1);
  world.run_for(200ms);

  world.cut(a, b, true);
  world.run_for(4s);
  world.node(a).publish("t/x", 5);
  world.heal(a, b);
  world.run_for(1s);

  CHECK(world.node(b).delivered(1).size() == 16);
  check_whole(world);
}

TEST_CASE("rollback: a node that comes back from an image names no position twice") {
  World world({.seed = 2});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(a).subscribe(1, {"#"});
  world.node(b).subscribe(2, {"#"});
  world.node(a).publish("t/x", 60);
  CHECK(world.settle());
  const auto image = world.node(a).backup();
  world.node(a).publish("t/x", 20);
  CHECK(world.settle());

  world.crash(a);
  world.cut(a, b);
  world.node(a).restore(image);
  world.start(a);
  world.node(a).publish("t/x", 5);
  world.run_for(1s);
  world.heal(a, b);

  check_whole(world);
  CHECK(world.node(a).delivered(1).size() == 85);
  CHECK(world.node(b).delivered(2).size() == 85);
  CHECK(world.node(a).store().logs().size() == 2);
}

TEST_CASE("half a log at home: each part comes from whoever has it") {
  World world({.seed = 3});
  const std::size_t a = world.add_node({});
  const std::size_t d = world.add_node({a}, {.carry = {"*"}});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  world.node(a).publish("t/x", 60);
  CHECK(world.settle());
  const auto image = world.node(a).backup();
  world.cut(a, d);
  world.node(c).subscribe(1, {"t/x"}, from_seq(50));
  world.node(a).publish("t/x", 40);
  CHECK(world.settle());

  world.crash(a);
  world.node(a).restore(image);
  world.start(a);
  world.heal_all();
  const std::size_t e = world.add_node({b, d});
  world.node(e).subscribe(2, {"t/x"});

  check_whole(world);
  CHECK(world.node(e).delivered(2).size() == 100);
}

TEST_CASE("the stand-in trims: a relay that is asked below its copy waits for the origin") {
  World world({.seed = 4});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  const std::size_t d = world.add_node({b});
  world.node(a).publish("t/x", 49);
  CHECK(world.settle());
  world.node(c).subscribe(1, {"t/x"}, from_seq(50));
  world.node(a).publish("t/x", 51);
  CHECK(world.settle());

  world.crash(a);
  world.node(d).subscribe(2, {"t/x"}, from_seq(30));
  world.run_for(20s);
  CHECK(world.gaps.empty());
  world.start(a);

  check_whole(world);
  CHECK(world.node(d).delivered(2).size() == 71);
}

TEST_CASE("only a filtered copy knows the tail: what nobody has is said to be lost") {
  World world({.seed = 5});
  const std::size_t a = world.add_node({});
  const std::size_t c = world.add_node({a});
  world.node(c).subscribe(1, {"t/1"});
  for (int i = 0; i < 9; ++i) {
    world.node(a).publish("t/1");
    world.node(a).publish("t/2");
  }
  CHECK(world.settle());
  const auto image = world.node(a).backup();
  for (const char* const topic : {"t/1", "t/2", "t/1", "t/2", "t/1"}) world.node(a).publish(topic);
  CHECK(world.settle());
  CHECK(world.node(c).delivered(1).size() == 12);

  world.crash(a);
  world.node(a).restore(image);
  world.start(a);
  world.run_for(1s);
  world.node(c).subscribe(2, {"t/2"});
  CHECK(world.settle());
  world.node(a).publish("t/2");
  CHECK(world.settle());

  world.check_delivered();
  CHECK(world.failure() == "");
  CHECK(world.node(c).delivered(2).size() == 10);
  CHECK(world.gaps.size() == 1);
  CHECK(world.gaps["lost"] == 2);
}

TEST_CASE("a disk that went back behind a run: what only its origin had is lost, not awaited") {
  World world({.seed = 5});
  const std::size_t a = world.add_node({});
  const std::size_t c = world.add_node({a});
  const std::size_t d = world.add_node({a});
  world.node(c).subscribe(1, {"t/1"});
  CHECK(world.settle());
  const auto image = world.node(a).backup();
  world.crash(a);
  world.start(a);
  for (const char* const topic : {"t/1", "t/2", "t/1"}) world.node(a).publish(topic);
  CHECK(world.settle());
  world.crash(c);
  world.node(d).subscribe(1, {"t/1"}, {.at = wire::Begin::At::Head});
  CHECK(world.settle());
  for (const char* const topic : {"t/2", "t/1"}) world.node(a).publish(topic);
  CHECK(world.settle());

  world.crash(a);
  world.node(a).restore(image);
  world.start(c);
  world.node(c).subscribe(2, {"t/2"});
  world.start(a);
  CHECK(world.settle());

  world.check_delivered();
  CHECK(world.failure() == "");
  CHECK(world.gaps.size() == 1);
  CHECK(world.gaps["lost"] == 5);
}

TEST_CASE("born while away: a log that began meanwhile is held from its first event") {
  World world({.seed = 6});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  world.node(c).subscribe(1, {"#"});
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());

  world.crash(c);
  world.crash(a);
  world.start(a);
  world.node(a).publish("t/x", 10);
  world.run_for(10s);
  world.node(a).trim_now(0s);
  world.node(b).trim_now(0s);
  world.run_for(1s);
  world.start(c);

  check_whole(world);
  CHECK(world.node(c).delivered(1).size() == 20);
}

TEST_CASE("gone at the door: a hold does not end before its peer has asked") {
  World world({.seed = 7});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  world.node(c).subscribe(1, {"#"});
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());
  world.crash(c);
  world.crash(a);
  world.start(a);
  world.node(a).publish("t/x", 10);
  world.run_for(10s);

  world.start(c);
  for (int i = 0; i < 200; ++i) {
    world.node(a).trim_now(0s);
    world.node(b).trim_now(0s);
    world.run_for(2ms);
    if (i % 40 == 30) world.cut(b, c);
    if (i % 40 == 32) world.heal(b, c);
  }

  check_whole(world);
  CHECK(world.node(c).delivered(1).size() == 20);
}

TEST_CASE("moving house: the old upstream keeps its hold until the new one has answered") {
  World world({.seed = 8});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t d = world.add_node({a});
  const std::size_t c = world.add_node({b, d});
  world.cut(c, d);
  world.node(c).subscribe(1, {"#"});
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());

  world.cut(c, b);
  world.node(a).publish("t/x", 10);
  world.run_for(5s);
  world.node(a).trim_now(0s);
  world.heal(c, d);
  world.run_for(20s);
  CHECK(world.gaps.empty());
  CHECK(world.node(c).delivered(1).size() == 10);
  world.heal(c, b);
  world.run_for(40s);

  check_whole(world);
  CHECK(world.node(c).delivered(1).size() == 20);
}

TEST_CASE("two who hold for each other keep nothing, and nothing flows") {
  World world({.seed = 9});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({a, b});
  world.node(b).subscribe(1, {"#"});
  world.node(c).subscribe(2, {"#"});
  world.cut(a, c);
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());
  world.heal(a, c);
  world.run_for(5s);
  world.cut(a, b);
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());
  CHECK(world.node(b).delivered(1).size() == 20);

  world.node(b).unsubscribe(1);
  world.node(c).unsubscribe(2);
  world.heal_all();
  CHECK(world.settle());
  const std::uint64_t before = world.copied;
  world.node(a).publish("t/x", 50);

  CHECK(world.settle());
  CHECK(world.copied == before);
  CHECK(world.failure() == "");
}

TEST_CASE("flap: a relay whose reader is back at once stays whole") {
  World world({.seed = 10});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  world.node(c).subscribe(1, {"t/x"});
  world.node(b).subscribe(2, {"t/x"});
  for (int i = 0; i < 5; ++i) {
    world.node(a).publish("t/x", 5);
    world.node(a).publish("t/y", 5);
    world.run_for(2s);
    world.crash(c);
    world.run_for(1s);
    world.start(c);
  }

  check_whole(world);
  for (const LogRecord& log : world.node(b).store().logs()) CHECK(log.whole_from == 1);
}

TEST_CASE("slow, not dead: what waits for its turn on a slow link is not fetched twice") {
  World world({.seed = 11, .bytes_per_second = 6'250});
  const std::size_t b = world.add_node({});
  const std::size_t d = world.add_node({b});
  const std::size_t c = world.add_node({b, d});
  for (int i = 0; i < 5; ++i) world.add_node({b});
  world.node(c).subscribe(1, {"#"});
  world.node(d).subscribe(2, {"#"});
  for (std::size_t i = 3; i < 8; ++i) world.node(i).publish("t/x");
  CHECK(world.settle());
  const std::uint64_t crossed = world.crossed - world.copied;

  for (std::size_t i = 3; i < 8; ++i) world.node(i).publish("t/x", 20, 500);

  check_whole(world);
  CHECK(world.crossed - world.copied == crossed);
}

TEST_CASE("the map flips in mid-stream: no gap while the old upstream has it") {
  World world({.seed = 12, .bytes_per_second = 50'000});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a}, {.carry = {"*"}});
  const std::size_t c = world.add_node({b, a});
  world.cut(a, c);
  world.node(a).publish("t/x", 300, 1000);
  CHECK(world.settle());
  world.node(a).trim_now(0s);
  world.node(c).subscribe(1, {"#"});
  world.run_for(2s);
  CHECK(world.node(c).delivered(1).size() > 0);
  CHECK(world.node(c).delivered(1).size() < 300);

  world.heal(a, c);

  check_whole(world);
  CHECK(world.node(c).delivered(1).size() == 300);
}

TEST_CASE("a gap hides nothing: what a relay has from its filtered days goes out with it") {
  World world({.seed = 13});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b});
  world.node(b).subscribe(1, {"t/1"});
  world.run_for(2s);
  for (const char* const topic : {"t/2", "t/2", "t/1", "t/1", "t/1", "t/2", "t/2"}) {
    world.node(a).publish(topic);
  }
  CHECK(world.settle());
  world.node(a).trim_now(0s);

  world.node(c).subscribe(2, {"#"});

  CHECK(world.settle());
  world.check_delivered();
  CHECK(world.failure() == "");
  CHECK(world.node(c).delivered(2).size() == 3);
  CHECK(world.node(c).gaps_of(2) == 4);
}

TEST_CASE("a backfill under way: nothing that it still needs is trimmed") {
  World world({.seed = 14, .bytes_per_second = 20'000});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"t/1"});
  world.run_for(2s);
  world.node(a).publish("t/2", 100, 1000);
  world.node(a).publish("t/1", 10);
  CHECK(world.settle());

  world.node(b).subscribe(2, {"t/2"});
  world.run_for(1s);
  for (int i = 0; i < 20; ++i) {
    world.node(a).trim_now(0s);
    world.run_for(200ms);
  }

  check_whole(world);
  CHECK(world.node(b).delivered(2).size() == 100);
}

TEST_CASE("filters widen in mid-flight: nothing is missing") {
  World world({.seed = 15, .bytes_per_second = 50'000});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"t/1"});
  for (int i = 0; i < 40; ++i) {
    world.node(a).publish("t/" + std::to_string(i % 4), 3, 500);
    world.run_for(40ms);
    if (i == 10) world.node(b).subscribe(2, {"t/2"});
    if (i == 20) world.node(b).subscribe(3, {"t/3"});
    if (i == 25) world.node(b).subscribe(4, {"t/+"});
  }

  check_whole(world);
  CHECK(world.node(b).delivered(4).size() == 120);
}

TEST_CASE("a dead end: readers wait, status says for what, then it is lost, once") {
  // Whom c knew before it was started again is not here.
  World world({.seed = 16, .hold_away_max = 60s, .stuck_max = 10s});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  const std::size_t c = world.add_node({b, a});
  world.cut(a, c);
  world.node(c).subscribe(1, {"#"});
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());
  world.crash(c);
  world.node(a).publish("t/x", 10);
  world.run_for(2s);
  world.node(a).trim_now(0s);
  world.crash(b);

  world.heal_all();
  world.start(c);
  world.run_for(30s);
  const auto status = world.node(c).mesh().status();
  CHECK(status.holes.size() == 1);
  CHECK(status.holes.front().from == 11);
  CHECK(world.gaps.empty());
  world.node(a).publish("t/x", 5);
  world.run_for(60s);

  CHECK(world.gaps["lost"] == 10);
  CHECK(world.node(c).delivered(1).size() == 15);
  CHECK(world.node(c).mesh().status().holes.empty());
}

TEST_CASE("the star: leaves that only read cost the hub's record and each other nothing") {
  World world({.seed = 18});
  const std::size_t hub = world.add_node({});
  for (int i = 1; i <= 50; ++i) {
    const std::size_t leaf = world.add_node({hub});
    world.node(leaf).subscribe(static_cast<std::uint64_t>(i), {"t/" + std::to_string(i)});
  }
  world.node(hub).publish("t/1");
  CHECK(world.settle());

  const auto map = world.node(hub).mesh().map();
  CHECK(map.size() == 1);
  CHECK(map.front().neighbours.empty());
  const std::uint64_t before = world.chatter;
  world.crash(7);
  world.run_for(1s);
  world.start(7);
  CHECK(world.settle());
  CHECK(world.chatter - before < 30);
  world.node(hub).publish("t/9", 10);

  check_whole(world);
  CHECK(world.crossed == 11);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
