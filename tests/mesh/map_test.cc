#include "core/mesh/map.h"

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"

namespace marram::mesh {

namespace {

TEST_SUITE_BEGIN("mesh/map");

TEST_CASE("a stranger's map: records that arrive out of order do not go back") {
  Map map({.node_id = "a"}, 0);

  CHECK(map.take(record("b", 5), {}) == Map::Taken::New);
  CHECK(map.take(record("b", 4), {}) == Map::Taken::Old);
  CHECK(map.take(record("b", 5), {}) == Map::Taken::Known);

  CHECK(map.find("b")->number == 5);
}

TEST_CASE("a node that hears its own old record jumps above it") {
  Map map({.node_id = "a"}, 0);
  map.publish(record("a", 0));

  CHECK(map.take(record("a", 40), {}) == Map::Taken::Own);

  CHECK(map.publish(record("a", 0)).number == 41);
}

TEST_CASE("an adjacency counts only when both ends list it") {
  Map map({.node_id = "a"}, 0);
  map.set_links({{"b", 1}});
  map.take(record("b", 1, {{"a", 1}, {"c", 1}}), {});
  map.take(record("c", 1), {});

  CHECK_FALSE(map.reachable("c"));
  map.take(record("c", 2, {{"b", 1}}), {});

  CHECK(map.reachable("c"));
  CHECK(map.route("c")->next == "b");
}

TEST_CASE("a path follows the cost that the worse end says") {
  Map map({.node_id = "a"}, 0);
  map.set_links({{"b", 1}, {"c", 4}});
  map.take(record("b", 1, {{"a", 1}, {"d", 1}}), {});
  map.take(record("c", 1, {{"a", 4}, {"d", 1}}), {});
  map.take(record("d", 1, {{"b", 8}, {"c", 1}}), {});

  CHECK(map.route("d")->next == "c");
  CHECK(map.route("d")->cost == 5);
}

TEST_CASE("a record that cannot be reached for long is forgotten, and may come again") {
  Map map({.node_id = "a", .expire = std::chrono::hours(1)}, 0);
  map.take(record("b", 7), TimePoint(std::chrono::hours(1)));

  map.on_tick(TimePoint(std::chrono::hours(3)));
  CHECK(map.find("b") == nullptr);
  CHECK(map.take(record("b", 6), TimePoint(std::chrono::hours(3))) == Map::Taken::New);
}

TEST_CASE("more nodes than the limit are not kept") {
  Map map({.node_id = "a", .nodes_max = 1}, 0);

  CHECK(map.take(record("b", 1), {}) == Map::Taken::New);
  CHECK(map.take(record("c", 1), {}) == Map::Taken::Known);
  CHECK(map.size() == 1);
}

TEST_CASE("records of more bytes than the limit are not kept, neither one nor all") {
  wire::MapRecord large = record("large", 1);
  for (int i = 0; i < 100; ++i) large.neighbours.push_back({std::to_string(i), 1});
  const std::size_t bytes = bytes_of(large);
  Map map({.node_id = "a", .bytes_max = bytes + 200, .record_bytes_max = bytes}, 0);

  CHECK(map.take(large, {}) == Map::Taken::New);
  CHECK(map.take(record("b", 1), {}) == Map::Taken::New);
  CHECK(map.take(record("c", 1), {}) == Map::Taken::Known);
  large.number = 2;
  CHECK(map.take(large, {}) == Map::Taken::New);
  large.number = 3;
  large.neighbours.push_back({"more", 1});
  CHECK(map.take(large, {}) == Map::Taken::Known);
  CHECK(map.take(record("large", 4), {}) == Map::Taken::New);
  CHECK(map.take(record("c", 1), {}) == Map::Taken::New);
}

TEST_CASE("a newer record that says the same changes no route") {
  Map map({.node_id = "a"}, 0);
  map.take(record("b", 1, {{"a", 1}}), {});
  const std::uint64_t version = map.version();

  CHECK(map.take(record("b", 2, {{"a", 1}}), {}) == Map::Taken::New);
  map.publish(record("a", 0, {{"b", 1}}));
  CHECK(map.version() == version);
  CHECK(map.take(record("b", 3, {{"a", 2}}), {}) == Map::Taken::New);
  CHECK(map.version() != version);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
