// Backfills that follow one another.

#include <doctest/doctest.h>

#include "tests/mesh/one_node.h"
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

TEST_CASE("a reader for whom nothing is filled in does not read what is filled in for another") {
  const LogId id{"origin", "1-x", "events"};
  LogRecord copy{.no = 1, .id = id, .head = 30, .whole_from = 0};
  copy.filters = {{"t/1", 17}, {"t/2", 17}};
  const BackfillRecord backfill{.from = 1, .to = 16, .upto = 15, .all = false, .filters = {"t/1"}};
  mesh::OneNode node({}, {copy}, {.backfills = {{1, backfill}}, .holds = {}, .facts = {}});
  const auto reads = [&](std::uint64_t reader, const std::string& filter) {
    mesh::FilterStart start{filter, {wire::Begin::At::Seq, 1, {}}};
    node.mesh->put_interest({reader, filter, true, {start}, {}}, node.now, node.out);
    node.run(1s);
    return std::any_of(node.out.begin(), node.out.end(), [&](const mesh::Action& action) {
      const auto* const told = std::get_if<mesh::Readable>(&action);
      return told != nullptr && told->interest == reader;
    });
  };

  CHECK(reads(1, "t/1"));
  CHECK_FALSE(reads(2, "t/2"));
}

// The answer that comes may be a gap, and the reader would wait for what was never promised to it.
TEST_CASE("a reader begins with the first of what is filled in for it") {
  const LogId id{"origin", "1-x", "events"};
  const LogRecord copy{.no = 1, .id = id, .head = 30, .whole_from = 17};
  BackfillRecord backfill{.from = 1, .to = 16, .upto = 0};
  mesh::OneNode node({}, {copy}, {.backfills = {{1, backfill}}, .holds = {}, .facts = {}});
  node.mesh->put_interest({1, "#", true, {{"#", {wire::Begin::At::Seq, 1, {}}}}, {}}, node.now,
                          node.out);
  const auto told = [&] {
    node.run(1s);
    std::vector<mesh::Readable> all;
    for (const mesh::Action& action : node.out) {
      if (const auto* const one = std::get_if<mesh::Readable>(&action)) all.push_back(*one);
    }
    return all;
  };
  CHECK(told().empty());

  backfill.upto = 4;
  node.mesh->on_backfilled(copy, backfill, node.now, node.out);

  REQUIRE(told().size() == 1);
  CHECK(told()[0].after == 0);
  CHECK(told()[0].upto == 4);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
