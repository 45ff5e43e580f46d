#include <doctest/doctest.h>

#include "tests/client/hand_driven.h"

TEST_SUITE_BEGIN("client/endpoint_time");

using namespace marram;
using namespace std::chrono_literals;
using test::HandDriven;
using test::RawPeer;

namespace {

std::string published(std::uint64_t number, std::size_t payload = 1) {
  EventView event;
  const std::string bytes(payload, 'x');
  event.topic = "a";
  event.payload = bytes;
  return wire::encode_publish(number, {&event, 1});
}

}  // namespace

TEST_CASE("a client that is silent too long is given up, with its subscriptions") {
  HandDriven driven({}, 15s);
  RawPeer quiet(driven.address());
  REQUIRE(driven.greet(quiet, "quiet"));
  quiet.send(wire::encode(wire::Open{1, {.filters = {"#"}, .name = "billing"}}));
  REQUIRE(driven.answer<wire::OpenAnswer>(quiet));
  RawPeer lively(driven.address());
  REQUIRE(driven.greet(lively, "lively"));
  driven.now += 14s;
  lively.send(wire::encode(wire::Ping{1}));
  REQUIRE(driven.answer<wire::Pong>(lively));

  driven.now += 4s;

  const auto broken = driven.answer<wire::Broken>(quiet);
  REQUIRE(broken);
  CHECK(broken->error.code == Errc::TimedOut);
  CHECK(broken->error.message == "endpoint: the client was silent for 15s");
  CHECK(driven.endpoint().clients() == 1);
  lively.send(wire::encode(wire::Open{1, {.filters = {"#"}, .name = "billing"}}));
  CHECK(driven.answer<wire::OpenAnswer>(lively));
}

TEST_CASE("a connection that ends is noticed at once, without a time-out") {
  HandDriven driven;
  auto peer = std::make_unique<RawPeer>(driven.address());
  REQUIRE(driven.greet(*peer, "one"));
  RawPeer other(driven.address());
  REQUIRE(driven.greet(other, "two"));

  peer.reset();

  CHECK(driven.until([&] {
    driven.now += 1ms;
    return driven.endpoint().clients() == 1;
  }));
}

TEST_CASE("while the store is overloaded frames wait, and are stored in order afterwards") {
  HandDriven driven;
  RawPeer peer(driven.address());
  REQUIRE(driven.greet(peer, "one"));
  RawPeer other(driven.address());
  REQUIRE(driven.greet(other, "two"));
  driven.store.refuses = Errc::Overloaded;
  for (std::uint64_t number = 1; number <= 3; ++number) peer.send(published(number));
  peer.send(wire::encode(wire::Ping{9}));
  other.send(wire::encode(wire::Ping{5}));
  REQUIRE(driven.answer<wire::Pong>(other));
  CHECK(driven.endpoint().wake_at() == driven.now + 2ms);

  driven.store.refuses.reset();
  driven.now += 2ms;
  driven.committing = true;
  const auto pong = driven.answer<wire::Pong>(peer);
  REQUIRE(pong);
  CHECK(pong->number == 9);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const auto answer = driven.answer<wire::PublishAnswer>(peer);
    REQUIRE(answer);
    CHECK(answer->number == number);
    CHECK(answer->runs.at(0).position.seq() == number);
  }
}

TEST_CASE("when too much waits for the store nothing more is read, and nobody is given up for it") {
  Limits limits;
  limits.queued_bytes_max = 4000;
  HandDriven driven(limits, 15s);
  RawPeer peer(driven.address());
  REQUIRE(driven.greet(peer, "one"));
  driven.store.refuses = Errc::Overloaded;
  peer.send(published(1, 5000));
  REQUIRE(driven.until([&] {
    std::vector<zmq::pollitem_t> items;
    driven.endpoint().add_poll_items(items);
    return items.size() == 2;  // not the socket itself
  }));
  peer.send(wire::encode(wire::Ping{7}));

  for (int i = 0; i < 20; ++i) {
    driven.now += 4s;
    const auto pong = driven.answer<wire::Pong>(peer);
    REQUIRE(pong);
    CHECK(pong->number == 0);  // unasked: the node lives
  }

  driven.store.refuses.reset();
  driven.committing = true;
  std::optional<wire::Pong> pong;
  while ((pong = driven.answer<wire::Pong>(peer)) && pong->number == 0) {
  }
  REQUIRE(pong);
  CHECK(pong->number == 7);
  CHECK(driven.answer<wire::PublishAnswer>(peer));
}

TEST_CASE("a store that is closing answers nothing: the client asks the node's next run") {
  HandDriven driven;
  RawPeer peer(driven.address());
  REQUIRE(driven.greet(peer, "one"));
  driven.store.refuses = Errc::Closed;
  peer.send(published(1));
  REQUIRE(driven.until([&] { return driven.endpoint().wake_at() == driven.now + 2ms; }));

  driven.endpoint().begin_stop();
  driven.endpoint().stop();

  const auto bye = peer.read();
  REQUIRE(bye);
  CHECK(std::holds_alternative<wire::Bye>(*bye));
}

TEST_CASE("BYE is answered after everything before it") {
  HandDriven driven;
  RawPeer peer(driven.address());
  REQUIRE(driven.greet(peer, "one"));
  peer.send(wire::encode(wire::Open{1, {.filters = {"#"}}}));
  peer.send(wire::encode(wire::Close{1}));
  peer.send(wire::encode(wire::Bye{{Errc::Closed, "client: closed"}}));

  CHECK(driven.answer<wire::EndNotice>(peer));
  CHECK(driven.answer<wire::Bye>(peer));
  CHECK(driven.until([&] { return driven.endpoint().clients() == 0; }));
}

TEST_SUITE_END();
