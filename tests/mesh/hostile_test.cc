// Peers that say what they should not, and far too much of it.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("mesh/hostile");

TEST_CASE("a peer for which too many streams would be held is told so") {
  OneNode node;
  const SessionId peer = node.greet("peer");

  std::uint64_t number = 1;
  for (int i = 0; i <= 4096 && !node.hung_up(peer); ++i, number += 2) {
    const LogId log{"origin", "1-x", fmt::format("stream-{}", i)};
    node.mesh->on_frame(peer, wire::Want{.number = number, .log = log, .standing = true}, node.now,
                        node.out);
  }

  REQUIRE(node.hung_up(peer));
  CHECK(node.hung_up(peer)->code == Errc::TooLarge);
  CHECK(node.mesh->status().holds.size() == 4096);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
