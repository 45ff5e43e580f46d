#include <doctest/doctest.h>

#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

namespace {

using namespace std::chrono_literals;

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

  CHECK(world.settle());
  world.check_delivered();
  CHECK(world.failure() == "");
  CHECK(world.node(c).delivered(1).size() == 100);
  CHECK(world.crossed == 200);
  CHECK(world.gaps.empty());
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
