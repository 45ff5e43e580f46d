// Backfills that follow one another.

#include <doctest/doctest.h>

#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

namespace {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("mesh/backfill");

TEST_CASE("a backfill begins anew while the end of the last one is being written") {
  World world({.seed = 3, .latency_max = 200ms, .commit_max = 100ms});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"t/1"});
  world.run_for(2s);
  for (int i = 0; i < 40; ++i) {
    world.node(a).publish("t/" + std::to_string(i % 4), 5);
    if (i == 30) world.run_for(2s);
  }
  CHECK(world.settle());

  world.cut(a, b);
  world.node(b).listen(3, {"t/3"});
  world.node(b).subscribe(2, {"t/2"});
  world.run_for(100ms);
  world.node(a).publish("t/3", 5);
  world.run_for(1s);
  world.heal(a, b);

  CHECK(world.settle());
  CHECK(world.failure() == "");
  CHECK(world.node(b).delivered(2).size() == 50);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
