// What one peer can make a node keep in memory.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kWindow = 4 << 20;

TEST_SUITE_BEGIN("mesh/memory");

TEST_CASE("a peer that takes a hundred logs slowly costs one window of memory") {
  World world({.seed = 1, .bytes_per_second = 2'000'000});
  const std::size_t hub = world.add_node({}, {.carry = {"*"}});
  for (int i = 0; i < 50; ++i) {
    const std::size_t leaf = world.add_node({hub});
    world.node(leaf).publish("t/x", 200, 1000);
    world.node(leaf).publish("alarm/x", 200, 1000);
  }
  CHECK(world.settle());

  const std::size_t reader = world.add_node({hub});
  world.node(reader).subscribe(1, {"#"});
  std::uint64_t read = 0;
  for (int i = 0; i < 500; ++i) {
    world.run_for(50ms);
    for (const auto& link : world.node(hub).mesh().status().links) {
      if (link.peer == SimNode::id_of(reader)) read = std::max(read, link.read_bytes);
    }
  }

  CHECK(world.settle());
  CHECK(world.node(reader).delivered(1).size() == 20'000);
  CHECK(read > 0);
  CHECK(read <= kWindow);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
