#include "core/node/endpoint.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>
#include <set>

#include "tests/client/raw_peer.h"
#include "tests/client/running_node.h"

TEST_SUITE_BEGIN("client/endpoint");

using namespace marram;
using namespace std::chrono_literals;
using test::RawPeer;

namespace {

std::string published(const std::string& topic, std::uint64_t number = 1, std::size_t payload = 1) {
  EventView event;
  const std::string bytes(payload, 'x');
  event.topic = topic;
  event.payload = bytes;
  return wire::encode_publish(number, {&event, 1});
}

// A frame of a session that is none: what comes back, and that another client
// does not notice.
std::string answer_to(test::RunningNode& running, const std::string& frame) {
  auto other = running.client();
  RawPeer peer(running.ipc());
  REQUIRE(peer.hello());
  peer.send(frame);
  const std::string code = peer.error();
  CHECK(other->publish({.topic = "a", .payload = "unharmed"}));
  return code;
}

}  // namespace

TEST_CASE("frames that break the protocol end their session, and no other") {
  test::RunningNode running;

  CHECK(answer_to(running, "") == "protocol");
  CHECK(answer_to(running, "\xC1") == "protocol");
  CHECK(answer_to(running, std::string("\x92\x10\x01", 3)) == "protocol");
  CHECK(answer_to(running, wire::encode(wire::Ping{1}) + "x") == "protocol");
  CHECK(answer_to(running, wire::encode(wire::Welcome{})) == "protocol");
  CHECK(answer_to(running, wire::encode(wire::Hello{.name = "again"})) == "protocol");
  CHECK(answer_to(running, published("a", 2)) == "protocol");
  CHECK(answer_to(running, std::string("\x91\x7F", 2)) == "protocol");
}

TEST_CASE("a session in several parts, or without HELLO, is none") {
  test::RunningNode running;
  RawPeer parts(running.ipc());
  REQUIRE(parts.hello());
  parts.send_parts("a", "b");
  CHECK(parts.error() == "protocol");

  RawPeer silent(running.ipc());
  silent.send(published("a"));
  CHECK(silent.error() == "protocol");
  CHECK(silent.message() == "endpoint: no session here, HELLO comes first");
}

TEST_CASE("HELLO is checked: version, role, name") {
  test::RunningNode running;
  const auto refusal = [&](const wire::Hello& hello) {
    RawPeer peer(running.ipc());
    peer.send(wire::encode(hello));
    return peer.error();
  };

  CHECK(refusal({.low = 7, .high = 9, .name = "a"}) == "version");
  CHECK(refusal({.role = "peer", .name = "a"}) == "unsupported");
  CHECK(refusal({.name = "a/b"}) == "invalid");
  CHECK(refusal({.name = ""}) == "invalid");
}

TEST_CASE("one client too many is refused with the limit, and taken when one has left") {
  Limits limits;
  limits.clients_max = 2;
  test::RunningNode running(limits);
  auto first = running.client();
  auto second = running.client();

  const auto third = Client::connect({.endpoint = running.ipc()});
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Errc::Refused);
  CHECK(third.error().message ==
        "endpoint: 2 clients are connected already (raise limits.clients_max)");

  second.reset();
  CHECK(Client::connect({.endpoint = running.ipc()}));
}

TEST_CASE("a frame over the limit is refused, far over it the connection is cut") {
  Limits limits;
  limits.frame_bytes_max = 64 << 10;
  limits.payload_bytes_max = 1 << 20;
  test::RunningNode running(limits);
  auto other = running.client();
  RawPeer large(running.ipc());
  REQUIRE(large.hello("large"));
  RawPeer huge(running.ipc());
  REQUIRE(huge.hello("huge"));

  large.send(published("a", 1, 70 << 10));
  CHECK(large.error() == "too_large");
  huge.send(published("a", 1, 1 << 20));

  const auto refused = other->publish({.topic = "a", .payload = std::string(70 << 10, 'x')});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::TooLarge);
  CHECK(other->publish({.topic = "a", .payload = "unharmed"}));
}

TEST_CASE("events that break a rule are refused one by one, the others stored, in one answer") {
  test::RunningNode running;
  RawPeer peer(running.ipc());
  REQUIRE(peer.hello());
  std::vector<EventView> events(5);
  for (EventView& event : events) event.topic = "a";
  events[1].topic = "a/#";
  events[3].topic = "$SYS/x";

  peer.send(wire::encode_publish(1, events));

  const auto answer = peer.read_one<wire::PublishAnswer>();
  REQUIRE(answer);
  CHECK(answer->number == 1);
  REQUIRE(answer->runs.size() == 5);
  CHECK(answer->runs[0].position == Position(answer->runs[0].position.log(), 1));
  CHECK(answer->runs[1].error->code == Errc::Invalid);
  CHECK(answer->runs[2].position.seq() == 2);
  CHECK(answer->runs[3].error->code == Errc::Refused);
  CHECK(answer->runs[4].position.seq() == 3);
}

TEST_CASE("more than the window without an answer breaks the session") {
  test::RunningNode running;
  RawPeer peer(running.ipc());
  const auto greeting = peer.hello();
  REQUIRE(greeting);
  const std::size_t window = std::get<wire::Welcome>(*greeting).window_bytes;
  const std::string first = published("a", 1, window - 200'000);
  const std::string second = published("a", 2, window - 200'000);
  const std::string third = published("a", 3, window - 200'000);

  peer.send(first);
  peer.send(second);
  peer.send(third);

  CHECK(peer.error() == "protocol");
}

TEST_CASE("a session is told once which log a number is, before the first position in it") {
  test::RunningNode running;
  for (int session = 0; session < 2; ++session) {
    RawPeer peer(running.ipc());
    REQUIRE(peer.hello());
    peer.send(wire::encode(
        wire::Open{1, {.filters = {"#"}, .name = "c", .start = Start{.at = Start::At::Earliest}}}));
    REQUIRE(peer.read_one<wire::OpenAnswer>());
    std::set<std::uint32_t> named;
    std::size_t seen = 0;
    for (std::uint64_t number = 1; number <= 2; ++number) {
      peer.send(published("a", number));
      for (bool stored = false, delivered = false; !stored || !delivered;) {
        const auto frame = peer.read();
        REQUIRE(frame);
        if (const auto* log = std::get_if<wire::LogIs>(&*frame)) {
          CHECK(log->id.stream == "events");
          CHECK(named.insert(log->log).second);
        } else if (const auto* answer = std::get_if<wire::PublishAnswer>(&*frame)) {
          CHECK(named.contains(answer->runs.at(0).position.log()));
          stored = true;
        } else if (const auto* deliver = std::get_if<wire::Deliver>(&*frame)) {
          for (const EventView& event : deliver->batch->events()) {
            CHECK(named.contains(event.position.log()));
            ++seen;
          }
          delivered = true;
        }
      }
    }
    CHECK(named.size() == 1);
    CHECK(seen >= 1);
  }
}

TEST_CASE("questions beyond sixteen are answered: too many") {
  test::RunningNode running;
  RawPeer peer(running.ipc());
  REQUIRE(peer.hello());
  CHECK([&] {
    peer.send(wire::encode(wire::AskLog{1, 999}));
    const auto failed = peer.read_one<wire::Failed>();
    return failed && failed->error.code == Errc::NotFound;
  }());
  for (std::uint64_t i = 0; i < 40; ++i) peer.send(wire::encode(wire::AskStatus{i}));

  std::size_t answers = 0;
  while (answers < 40) {
    const auto frame = peer.read();
    if (!frame) break;
    answers += std::holds_alternative<wire::StatusText>(*frame) ||
               std::holds_alternative<wire::Failed>(*frame);
  }
  CHECK(answers == 40);
}

TEST_CASE("a client that never reads costs its window, and does not hold up the others") {
  test::RunningNode running;
  RawPeer lazy(running.ipc(), 1);
  REQUIRE(lazy.hello());
  lazy.send(wire::encode(wire::Open{1, {.filters = {"#"}, .in_flight_max = 100}}));
  REQUIRE(lazy.read_one<wire::OpenAnswer>());
  auto client = running.client();
  auto subscription = client->subscribe({.filters = {"#"}, .auto_settle = true});
  REQUIRE(subscription);

  std::vector<Event> events(1000, {.topic = "a", .payload = std::string(1000, 'x')});
  std::size_t got = 0;
  for (int i = 0; i < 10; ++i) {
    REQUIRE(client->publish_many(events));
    while (got < 1000u * (i + 1)) {
      const auto some = (*subscription)->fetch(1000, 5s);
      REQUIRE(some);
      REQUIRE_FALSE(some->empty());
      got += some->size();
    }
  }

  std::size_t delivered = 0;
  while (delivered < 100) delivered += lazy.read_one<wire::Deliver>()->batch->size();
  CHECK(delivered == 100);
  lazy.send(wire::encode(wire::Ping{77}));
  while (const auto pong = lazy.read_one<wire::Pong>()) {
    if (pong->number == 77) break;
  }
  CHECK(delivered == 100);
}

TEST_CASE("a client that asks and never reads is given up") {
  test::RunningNode running;
  RawPeer lazy(running.ipc(), 1);
  REQUIRE(lazy.hello());
  auto other = running.client();
  // Every event is refused with a text that names it: the answers are large.
  std::vector<EventView> events(16'000);
  std::vector<std::string> topics;
  for (std::size_t i = 0; i < events.size(); ++i) topics.push_back("#" + std::to_string(i));
  for (std::size_t i = 0; i < events.size(); ++i) events[i].topic = topics[i];

  for (std::uint64_t number = 1; number <= 10; ++number) {
    lazy.send(wire::encode_publish(number, events));
    REQUIRE(other->publish({.topic = "a", .payload = "unharmed"}));
  }

  CHECK(lazy.error() == "overloaded");
}

TEST_CASE("a client that connects again ends its older session and has its consumers back") {
  test::RunningNode running;
  RawPeer old(running.ipc());
  REQUIRE(old.hello("same"));
  old.send(wire::encode(wire::Open{1, {.filters = {"#"}, .name = "c"}}));
  REQUIRE(old.read_one<wire::OpenAnswer>());

  RawPeer again(running.ipc());
  REQUIRE(again.hello("same"));
  again.send(wire::encode(wire::Open{1, {.filters = {"#"}, .name = "c"}}));

  CHECK(again.read_one<wire::OpenAnswer>());
  CHECK(old.error() == "closed");
}

TEST_CASE("a socket left by a dead process is replaced, one in use or no socket is not") {
  test::RunningNode running;
  const std::string path = (running.dir() / "other.sock").string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(left);
  const auto open = [&](const std::string& endpoint) {
    return Node::open({.name = "other", .data_dir = running.dir() / "other", .listen = {endpoint}});
  };

  CHECK(open("ipc://" + path).has_value());

  const auto busy = open(running.ipc());
  REQUIRE_FALSE(busy);
  CHECK(busy.error().code == Errc::Busy);
  const std::string file = (running.dir() / "file").string();
  std::ofstream(file) << "precious";
  const auto no_socket = open("ipc://" + file);
  REQUIRE_FALSE(no_socket);
  CHECK(no_socket.error().code == Errc::Invalid);
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("endpoints that cannot be are refused: beyond loopback, too long, no scheme") {
  test::RunningNode running;
  const auto code = [&](const std::string& endpoint) {
    const auto node =
        Node::open({.name = "other", .data_dir = running.dir() / "other", .listen = {endpoint}});
    return node ? std::string("open") : std::string(name(node.error().code));
  };

  CHECK(code("tcp://0.0.0.0:0") == "refused");
  CHECK(code("tcp://*:0") == "refused");
  CHECK(code("tcp://192.0.2.1:7410") == "refused");
  CHECK(code("ipc:///" + std::string(120, 'x')) == "invalid");
  CHECK(code("udp://127.0.0.1:1") == "invalid");
  CHECK(code("ipc:///no/such/directory/x.sock") == "io");
  CHECK(code("tcp://localhost:0") == "open");
  CHECK(code("tcp://[::1]:0") == "open");
}

TEST_SUITE_END();
