#include "core/mesh/link.h"

#include <doctest/doctest.h>

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

wire::LinkHello hello(std::string node) {
  wire::LinkHello hello;
  hello.name = node;
  hello.node_id = std::move(node);
  hello.instance = "i";
  hello.silent_after = 15s;
  hello.window_bytes = 1 << 20;
  return hello;
}

const LinkOptions kOptions{hello("a"), 10s};
constexpr TimePoint kStart{100s};

SessionInfo session(bool dialled, std::string proven = "b") {
  return {7, dialled, "tcp://b:1", std::move(proven), ""};
}

template <class Frame>
std::size_t count(const Actions& actions) {
  std::size_t count = 0;
  for (const Action& action : actions) {
    const auto* const send = std::get_if<SendFrame>(&action);
    count += send != nullptr && std::holds_alternative<Frame>(send->frame) ? 1 : 0;
  }
  return count;
}

TEST_SUITE_BEGIN("mesh/link");

TEST_CASE("the dialler speaks first, the listener answers") {
  Actions dialled;
  Actions listened;
  Link dialler(session(true), kOptions, kStart, dialled);
  Link listener(session(false), kOptions, kStart, listened);
  CHECK(count<wire::LinkHello>(dialled) == 1);
  CHECK(count<wire::LinkHello>(listened) == 0);

  CHECK(listener.on_hello(hello("b"), kStart, listened));

  CHECK(count<wire::LinkHello>(listened) == 1);
  CHECK(listener.live());
}

TEST_CASE("a peer that claims another's node id is refused") {
  Actions out;
  Link link(session(false, "b"), kOptions, kStart, out);

  const auto status = link.on_hello(hello("c"), kStart, out);

  CHECK(status.error().code == Errc::Refused);
  CHECK_FALSE(link.live());
}

TEST_CASE("another version, a tiny window, a second HELLO are refused") {
  Actions out;
  Link link(session(false), kOptions, kStart, out);
  wire::LinkHello bad = hello("b");
  bad.low = bad.high = wire::kVersionHigh + 1;
  CHECK(link.on_hello(bad, kStart, out).error().code == Errc::Version);
  bad = hello("b");
  bad.window_bytes = 100;
  CHECK(link.on_hello(bad, kStart, out).error().code == Errc::Protocol);

  CHECK(link.on_hello(hello("b"), kStart, out));

  CHECK(link.on_hello(hello("b"), kStart, out).error().code == Errc::Protocol);
}

TEST_CASE("a frame before HELLO is refused, and no HELLO in time ends the session") {
  Actions out;
  Link link(session(false), kOptions, kStart, out);

  CHECK(link.on_frame(wire::Ping{1}, 0, kStart, out).error().code == Errc::Protocol);

  CHECK(link.on_tick(kStart + 9s, out));
  CHECK(link.on_tick(kStart + 10s, out).error().code == Errc::TimedOut);
}

TEST_CASE("a peer that stops answering is pinged, then given up") {
  Actions out;
  Link link(session(false), kOptions, kStart, out);
  REQUIRE(link.on_hello(hello("b"), kStart, out));
  out.clear();

  Status status;
  while ((status = link.on_tick(link.wake_at(), out))) REQUIRE(out.size() < 100);

  CHECK(status.error().code == Errc::TimedOut);
  CHECK(count<wire::Ping>(out) >= 2);
}

TEST_CASE("a link is stuck when something was under way and the peer does not answer soon") {
  Actions out;
  Link link(session(true), kOptions, kStart, out);
  REQUIRE(link.on_hello(hello("b"), kStart, out));
  REQUIRE(link.on_frame(wire::Pong{1}, 0, kStart + 10ms, out));
  REQUIRE(link.on_frame(wire::Upto{}, 64, kStart + 20ms, out));
  out.clear();

  CHECK(link.wake_at() == kStart + 520ms);
  REQUIRE(link.on_tick(link.wake_at(), out));
  CHECK(count<wire::Ping>(out) == 1);
  CHECK_FALSE(link.stuck());
  CHECK(link.wake_at() == kStart + 1520ms);
  REQUIRE(link.on_tick(link.wake_at(), out));
  CHECK(link.stuck());
  CHECK(link.wake_at() == kStart + 5020ms);

  REQUIRE(link.on_frame(wire::Pong{2}, 0, kStart + 2s, out));
  CHECK_FALSE(link.stuck());
}

TEST_CASE("a link that is stuck is given up in a third of the time") {
  Actions out;
  Link link(session(true), kOptions, kStart, out);
  REQUIRE(link.on_hello(hello("b"), kStart, out));
  REQUIRE(link.on_tick(kStart + 1s, out));
  REQUIRE(link.stuck());

  CHECK(link.on_tick(kStart + 4s, out));
  CHECK(link.on_tick(kStart + 5s, out).error().code == Errc::TimedOut);
}

TEST_CASE("where nothing is under way nobody asks early, and a slow link has longer to answer") {
  Actions out;
  Link link(session(true), kOptions, kStart, out);
  REQUIRE(link.on_hello(hello("b"), kStart, out));
  REQUIRE(link.on_frame(wire::Pong{1}, 0, kStart + 600ms, out));
  CHECK(link.wake_at() == kStart + 5s);

  link.on_data_sent(100, kStart + 1s);
  CHECK(link.wake_at() == kStart + 1100ms);
  REQUIRE(link.on_tick(link.wake_at(), out));
  CHECK(link.wake_at() == kStart + 1100ms + 2400ms);
}

TEST_CASE("credit goes out for what is stored, and data beyond the window is refused") {
  Actions out;
  LinkOptions options{hello("a"), 10s};
  options.hello.window_bytes = 1 << 20;
  Link link(session(false), options, kStart, out);
  REQUIRE(link.on_hello(hello("b"), kStart, out));
  CHECK(link.on_frame(wire::Upto{}, 1 << 20, kStart, out));
  out.clear();

  link.release(1 << 20);
  CHECK(link.on_tick(kStart, out));
  CHECK(count<wire::Credit>(out) == 1);

  CHECK(link.on_frame(wire::Upto{}, 2 << 20, kStart, out));
  CHECK(link.on_frame(wire::Upto{}, 1, kStart, out).error().code == Errc::Protocol);
}

TEST_CASE("wants of the two ends never have the same number") {
  Actions out;
  Link dialler(session(true), kOptions, kStart, out);
  Link listener(session(false), kOptions, kStart, out);

  CHECK(dialler.next_want() == 1);
  CHECK(listener.next_want() == 2);
  CHECK(dialler.is_own_want(3));
  CHECK_FALSE(dialler.is_own_want(2));
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
