#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

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

// A connection without the library: it says what a DEALER says, as far as it is asked to.
class ByHand {
 public:
  explicit ByHand(const std::string& address) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    address.copy(to.sun_path, sizeof to.sun_path - 1, std::string("ipc://").size());
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~ByHand() { ::close(fd_); }
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;

  // What comes before both have said READY is no frame.
  void shake_hands() {
    std::string greeting("\xFF\0\0\0\0\0\0\0\1\x7F\3\0NULL", 16);
    greeting.resize(64, '\0');
    say(greeting + std::string("\4\x1C\5READY\13Socket-Type\0\0\0\6DEALER", 30));
    hear(greeting.size());
    const std::string command = hear(2);
    REQUIRE(command[0] == '\4');
    REQUIRE(hear(static_cast<std::uint8_t>(command[1])).substr(1, 5) == "READY");
  }
  void send(const std::string& frame) {
    say(std::string("\2\0\0\0\0\0\0", 7) + static_cast<char>(frame.size() >> 8) +
        static_cast<char>(frame.size() & 0xFF) + frame);
  }
  void send_half() { say(std::string("\2\0\0\0\0\0\1\0\0half of it", 19)); }
  bool cut() {
    char bytes[256];
    ssize_t got = 0;
    do {
      got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    } while (got > 0);
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

 private:
  void say(const std::string& bytes) {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  std::string hear(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t got = 0; got < size;) {
      pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
      REQUIRE(::poll(&ready, 1, 5000) == 1);
      const ssize_t more = ::recv(fd_, bytes.data() + got, size - got, MSG_DONTWAIT);
      REQUIRE(more > 0);
      got += static_cast<std::size_t>(more);
    }
    return bytes;
  }

  int fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

std::string hello() {
  wire::Hello hello;
  hello.name = "by hand";
  hello.instance = "by hand";
  hello.silent_after = 10s;
  return wire::encode(hello);
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

TEST_CASE("half a frame of nobody is kept for a while only") {
  HandDriven driven;
  RawPeer client(driven.address());
  REQUIRE(driven.greet(client, "client"));
  const auto answers = [&] {
    client.send(wire::encode(wire::Ping{1}));
    return driven.answer<wire::Pong>(client).has_value();
  };
  ByHand stranger(driven.address());
  stranger.shake_hands();
  stranger.send_half();
  REQUIRE(answers());

  driven.now += 9s;
  REQUIRE(answers());
  CHECK_FALSE(stranger.cut());

  driven.now += 2s;
  CHECK(driven.until([&] { return stranger.cut(); }));
  CHECK(answers());
}

TEST_CASE("a client that stops within a frame loses its session, then its connection") {
  HandDriven driven({}, 15s);
  ByHand client(driven.address());
  client.shake_hands();
  client.send(hello());
  REQUIRE(driven.until([&] { return driven.endpoint().clients() == 1; }));
  client.send_half();

  driven.now += 16s;
  REQUIRE(driven.until([&] { return driven.endpoint().clients() == 0; }));
  CHECK_FALSE(client.cut());

  driven.now += 11s;
  CHECK(driven.until([&] { return client.cut(); }));
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
  // Which of the two is heard first nobody can say.
  CHECK(driven.until([&] { return driven.endpoint().wake_at() == driven.now + 2ms; }));

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
