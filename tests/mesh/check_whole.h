// What holds of a world in the end.
#pragma once

#include <doctest/doctest.h>

#include "tests/sim/world/world.h"

namespace marram::sim {

// All is quiet, everything has arrived, and nobody had to be told of a gap.
inline void check_whole(World& world) {
  CHECK(world.settle());
  world.check_delivered();
  CHECK(world.failure() == "");
  CHECK(world.gaps.empty());
}

}  // namespace marram::sim
