// A whole node, and a peer with a trusted key that does not keep to the rules.
#include "tests/node/mesh_peer.h"

namespace marram::test {

TEST_SUITE_BEGIN("node/mesh_hostile");

TEST_CASE("who breaks the rules of a session loses it, and nobody else does") {
  const TempFolder folder;
  SharedLines log;
  const CurveKey key = make_curve_key();
  const auto a =
      open_node(folder, "a", log,
                {.listen = {"tcp://127.0.0.1:0"}, .trust = {key_of(folder, "b"), key.public_key}});
  const std::string address = a->mesh_endpoints().front();
  const auto b = open_node(folder, "b", log, {.peers = {address}, .trust = {key_of(folder, "a")}});
  const auto reader = subscribe(*a, {.filters = {"#"}});
  publish(*b, "x", 1, 1);
  REQUIRE(fetch(*reader, 1).size() == 1);
  const LogId own{node_id_of_key(key.public_key), "1-x", "events"};

  std::string said;
  Peer peer(address, key, key_of(folder, "a"));
  (void)peer.next<wire::LinkHello>();
  SUBCASE("a second HELLO") {
    wire::LinkHello again;
    again.instance = "1";
    again.silent_after = 15s;
    again.node_id = peer.id();
    again.window_bytes = 1 << 20;
    peer.send(again);
    said = "a second HELLO";
  }
  SUBCASE("credit for what was never sent") {
    peer.send(wire::Credit{std::uint64_t{1} << 40});
    said = "credit for more than was sent";
  }
  SUBCASE("a want with a number of the other side") {
    peer.send(wire::Want{.number = 2, .log = own});
    said = "a want with number 2";
  }
  SUBCASE("gaps out of order") {
    const std::uint64_t want = peer.asked_for(a->id());
    peer.send(wire::LinkGap{want, 5, 9, "lost"});
    peer.send(wire::LinkGap{want, 5, 9, "lost"});
    said = "out of order";
  }
  SUBCASE("parts of an event out of order") {
    const std::uint64_t want = peer.asked_for(a->id());
    peer.send(wire::Part{want, 0, 1, 100, 1000, "bytes"});
    said = "parts of an event out of order";
  }

  const Error why = peer.next<wire::Broken>().error;
  CHECK(why.code == Errc::Protocol);
  CHECK_MESSAGE(why.message.find(said) != std::string::npos, why.message);
  CHECK(mesh_of(*a)["refused"]["session"] == 1);
  CHECK(log.count(said) == 1);
  publish(*b, "x", 2, 10);
  CHECK(fetch(*reader, 9).size() == 9);
  CHECK(mesh_of(*a)["links"].size() == 1);
}

TEST_SUITE_END();

}  // namespace marram::test
