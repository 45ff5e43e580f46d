// Two live nodes with one key, and a node that both of them dial.
#include <chrono>

#include "tests/node/mesh_peer.h"

TEST_SUITE_BEGIN("node/mesh_twins");

namespace marram::test {

TEST_CASE("of two nodes with one key the second is refused ever more rarely, and said so once") {
  const TempFolder folder;
  SharedLines log;
  SharedLines twin_log;
  const std::string key = key_of(folder, "one");
  std::filesystem::copy_file(folder.path() / "one.key", folder.path() / "two.key");
  const auto hub = open_node(folder, "hub", log, {.listen = {"tcp://127.0.0.1:0"}, .trust = {key}});
  const MeshNodeOptions to_hub{.peers = {hub->mesh_endpoints().front()},
                               .trust = {key_of(folder, "hub")}};
  const auto one = open_node(folder, "one", log, to_hub);
  const auto reader = subscribe(*hub, {.filters = {"#"}});
  publish(*one, "x", 1, 1);
  REQUIRE(fetch(*reader, 1).size() == 1);

  const auto two = open_node(folder, "two", twin_log, to_hub);
  const auto refusals = [&] { return mesh_of(*hub)["refused"].value("session", 0); };
  const auto wait_for = [&](int count) {
    const Signal pause;
    while (refusals() < count) REQUIRE_FALSE(pause.wait(20ms));
    return std::chrono::steady_clock::now();
  };
  const auto first = wait_for(1);
  const auto sixth = wait_for(6);

  // 0.1 s at least, then twice as long each time.
  CHECK(sixth - first >= 3s);
  CHECK(log.count("two live nodes have the key") == 1);
  CHECK(twin_log.count("another live node has this key") == 1);
  publish(*one, "x", 2, 3);
  CHECK(payloads(fetch(*reader, 2)) == "2 3");
  CHECK(mesh_of(*hub)["links"].size() == 1);
}

TEST_SUITE_END();

}  // namespace marram::test
