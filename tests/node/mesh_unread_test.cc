// A whole node, and a peer that does not read what it is sent.
#include "tests/node/mesh_peer.h"

TEST_SUITE_BEGIN("node/mesh_unread");

namespace marram::test {

namespace {

constexpr int kEvents = 2000;
constexpr std::size_t kPayloadBytes = 10'000;

// A node, another one that reads there, and a peer.
struct Fixture {
  Fixture()
      : a(open_node(
            folder, "a", log,
            {.listen = {"tcp://127.0.0.1:0"}, .trust = {key_of(folder, "b"), key.public_key}})),
        peer(a->mesh_endpoints().front(), key, key_of(folder, "a")) {
    (void)peer.next<wire::LinkHello>();
  }

  std::unique_ptr<Node> open_b() {
    return open_node(folder, "b", log,
                     {.peers = {a->mesh_endpoints().front()}, .trust = {key_of(folder, "a")}});
  }
  void publish_much() {
    std::vector<Event> events(100, {.topic = "x", .payload = std::string(kPayloadBytes, 'x')});
    for (int i = 0; i < kEvents / 100; ++i) REQUIRE(a->publish_many(events));
  }
  // What is on its way to the peer; -1: it has no link.
  std::int64_t in_flight() {
    const auto mesh = mesh_of(*a);
    for (const auto& link : mesh["links"]) {
      if (link["peer"] == peer.id()) return link["in_flight_bytes"];
    }
    return -1;
  }
  std::uint64_t unread() { return mesh_of(*a)["refused"].value("unread", std::uint64_t{0}); }

  TempFolder folder;
  SharedLines log;
  CurveKey key = make_curve_key();
  std::unique_ptr<Node> a;
  Peer peer;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "who stops reading costs a window, and others get their events") {
  publish_much();
  peer.send(wire::Want{.number = 1, .log = *a->log_id(1)});
  // Reads until the node sends as much at once as the window lets it.
  std::uint64_t read = 0;
  while (read < 5 * Peer::kWindow) {
    const std::uint64_t bytes = wire::credit_bytes(peer.next());
    read += bytes;
    if (bytes != 0) peer.send(wire::Credit{Peer::kWindow + read});
  }

  const auto b = open_b();
  const auto reader = subscribe(*b, {.filters = {"#"}, .start = Start{.at = Start::At::Earliest}});
  for (int i = 0; i < kEvents; i += 100) {
    const auto got = fetch(*reader, 100);
    REQUIRE(got.size() == 100);
    ack(*reader, got);
    REQUIRE(in_flight() <= static_cast<std::int64_t>(Peer::kWindow + wire::kLinkFrameBytesMax));
  }

  CHECK(in_flight() > 0);
  CHECK(unread() == 0);
}

TEST_CASE_FIXTURE(Fixture, "who asks all the time and reads no answer loses its session soon") {
  const auto b = open_b();
  const auto reader = subscribe(*b, {.filters = {"#"}});
  std::uint64_t asked = 0;
  while (unread() == 0) {
    REQUIRE(asked < 3'000'000);
    for (int i = 0; i < 10'000; ++i) peer.send(wire::Ping{++asked});
  }

  publish(*a, "x", 1, 10);

  CHECK(payloads(fetch(*reader, 10)) == "1 2 3 4 5 6 7 8 9 10");
  CHECK(in_flight() == -1);
  CHECK(log.count("does not read what it is sent") == 1);
}

TEST_SUITE_END();

}  // namespace marram::test
