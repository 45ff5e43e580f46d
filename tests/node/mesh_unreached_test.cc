// Addresses where nobody is.
#include <chrono>
#include <functional>

#include "tests/node/mesh_peer.h"

TEST_SUITE_BEGIN("node/mesh_unreached");

namespace marram::test {

namespace {

bool eventually(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  const Signal pause;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    (void)pause.wait(20ms);
  }
  return true;
}

}  // namespace

TEST_CASE("a node says once, with the address, that it cannot reach a peer, and dials on") {
  const TempFolder folder;
  SharedLines log;
  const std::string address = "ipc://" + (folder.path() / "hub.sock").string();
  const auto node =
      open_node(folder, "one", log, {.peers = {address}, .trust = {key_of(folder, "hub")}});
  const auto told = [&] { return log.count("cannot reach " + address); };
  REQUIRE(eventually([&] { return told() == 1; }));

  const auto hub =
      open_node(folder, "hub", log, {.listen = {address}, .trust = {key_of(folder, "one")}});
  REQUIRE(eventually([&] { return !mesh_of(*node)["links"].empty(); }));

  CHECK(told() == 1);
}

TEST_CASE("a peer's address that is none refuses the start") {
  const TempFolder folder;
  for (const char* address : {"127.0.0.1:7400", "tcp://hub:99999", "tcp://hub", ""}) {
    NodeOptions options{.name = "one", .data_dir = folder.path() / "one"};
    options.mesh.peers = {address};

    const auto node = Node::open(options);

    REQUIRE_FALSE(node);
    CHECK(node.error().code == Errc::Invalid);
    CHECK(node.error().message.find(std::string("\"") + address) != std::string::npos);
  }
}

TEST_SUITE_END();

}  // namespace marram::test
