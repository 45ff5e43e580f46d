#include "core/node/mesh_transport.h"

#include <doctest/doctest.h>

#include "core/base/ids.h"
#include "tests/node/mesh_sides.h"
#include "tests/node/temp_folder.h"

TEST_SUITE_BEGIN("node/mesh_transport");

using namespace marram;
using namespace std::chrono_literals;
using test::Pair;
using test::Side;
using test::until;

namespace {

wire::Part part(std::uint64_t want) {
  return {
      .want = want, .upto = 1, .total = 1 << 20, .bytes = std::string(wire::kPartBytesMax, 'x')};
}

}  // namespace

TEST_CASE("frames go both ways in order, between nodes that are proved by their keys") {
  Pair pair;
  REQUIRE(pair.b.ups.size() == 1);
  CHECK(pair.b.ups[0].proven_id == pair.a.id());
  CHECK(pair.b.ups[0].key == pair.a.options.key.public_key);
  CHECK_FALSE(pair.b.ups[0].dialled);
  CHECK(pair.a.ups[0].proven_id == pair.b.id());
  CHECK(pair.a.ups[0].dialled);
  CHECK(pair.a.ups[0].address == pair.b.address());

  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    numbers.push_back(i);
    pair.a.send(wire::Stop{i});
    pair.b.send(wire::Stop{i});
  }

  CHECK(pair.run([&] { return pair.a.stops.size() == 2000 && pair.b.stops.size() == 2000; }));
  CHECK(pair.a.stops == numbers);
  CHECK(pair.b.stops == numbers);
}

TEST_CASE("events of a shared batch arrive as they are stored") {
  Pair pair;
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  for (const char* topic : {"a", "b", "c"}) {
    EventView event;
    event.topic = topic;
    event.payload = "21.5";
    event.position = Position(0, batch->size() + 1);
    batch->add(event, WallTime{}, ids).recorded = Clock::system().wall();
  }

  pair.a.transport->send(mesh::SendData{.session = pair.a.ups.back().id,
                                        .want = 7,
                                        .after = 0,
                                        .upto = 3,
                                        .batch = EventBatchPtr(std::move(batch)),
                                        .indices = {0, 2}});

  REQUIRE(pair.run([&] { return pair.b.last<wire::Data>() != nullptr; }));
  const auto* data = pair.b.last<wire::Data>();
  CHECK(data->want == 7);
  CHECK(data->upto == 3);
  REQUIRE(data->batch->events().size() == 2);
  CHECK(data->batch->events()[1].topic == "c");
}

TEST_CASE("signs of life go before data that waits, and data keeps its order") {
  Pair pair([](auto& options) { options.waiting_bytes_max = 256 << 20; });
  constexpr std::uint64_t kParts = 900;  // more than the library and the system take at once
  for (std::uint64_t i = 1; i <= kParts; ++i) pair.a.send(part(i));
  pair.a.send(wire::Stop{1});
  pair.a.send(wire::Ping{1});

  REQUIRE(pair.run([&] { return !pair.b.stops.empty(); }));

  std::vector<std::uint64_t> parts;
  std::size_t parts_before_ping = 0;
  for (const auto& [session, frame] : pair.b.frames) {
    if (const auto* one = std::get_if<wire::Part>(&frame)) parts.push_back(one->want);
    if (std::holds_alternative<wire::Ping>(frame)) parts_before_ping = parts.size();
  }
  CHECK(parts.size() == kParts);
  CHECK(std::is_sorted(parts.begin(), parts.end()));
  CHECK(parts_before_ping > 0);
  CHECK(parts_before_ping < kParts);
}

TEST_CASE("a peer that does not read is given up before it fills the memory") {
  Pair pair([](auto& options) { options.waiting_bytes_max = 4 << 20; });
  for (std::uint64_t i = 1; i <= 900; ++i) pair.a.send(part(i));

  // Only the sender runs.
  REQUIRE(until([&] { return !pair.a.downs.empty(); }, {&pair.a}));

  CHECK(pair.a.downs[0].second.code == Errc::Overloaded);
  CHECK(pair.a.refused("unread") == 1);
}

TEST_CASE("a listener that died ends the session at once, and can be dialled again") {
  Pair pair;
  const std::string address = pair.b.address();
  pair.b.transport.reset();

  REQUIRE(pair.run([&] { return pair.a.downs.size() == 1; }));
  CHECK(pair.a.downs[0].first == pair.a.ups[0].id);
  CHECK(pair.a.downs[0].second.code == Errc::Unreachable);

  pair.a.transport->dial({address, pair.b.options.key.public_key});
  REQUIRE(pair.run([&] { return pair.a.failed.size() == 1; }));
  CHECK(pair.a.failed[0] == address);

  pair.b.options.listen = {address};
  REQUIRE(pair.b.open());
  pair.link();
  CHECK(pair.a.ups.size() == 2);
  CHECK(pair.a.ups[0].id != pair.a.ups[1].id);
}

TEST_CASE("a dialler that died ends the session at the listener at once") {
  Pair pair;
  pair.a.transport.reset();

  REQUIRE(pair.run([&] { return pair.b.downs.size() == 1; }));

  CHECK(pair.b.downs[0].first == pair.b.ups[0].id);
  CHECK(pair.b.downs[0].second.code == Errc::Unreachable);
}

TEST_CASE("who hangs up says why, is told nothing, and the other side learns of both") {
  Pair pair;

  SUBCASE("the dialler") {
    pair.a.transport->hang_up({pair.a.ups[0].id, {Errc::Closed, "test: good-bye"}, true});
    REQUIRE(pair.run([&] { return pair.b.downs.size() == 1; }));
    REQUIRE(pair.b.last<wire::Bye>() != nullptr);
    CHECK(pair.b.last<wire::Bye>()->error.message == "test: good-bye");
    CHECK(pair.a.downs.empty());
  }
  SUBCASE("the listener") {
    pair.b.transport->hang_up({pair.b.ups[0].id, {Errc::Protocol, "test: no more"}, true});
    REQUIRE(pair.run([&] { return pair.a.downs.size() == 1; }));
    REQUIRE(pair.a.last<wire::Broken>() != nullptr);
    CHECK(pair.a.last<wire::Broken>()->error.code == Errc::Protocol);
    CHECK(pair.b.downs.empty());
  }
  SUBCASE("the listener, and the dialler does not go") {
    // Its transport does not run: the connection is cut all the same.
    pair.b.transport->hang_up({pair.b.ups[0].id, {Errc::Protocol, "test: no more"}, true});
    REQUIRE(until([&] { return !pair.b.transport->wake_at().has_value(); }, {&pair.b}));
    CHECK(pair.run([&] { return pair.a.downs.size() == 1; }));
  }
}

TEST_CASE("a link over a socket file is proved like any other") {
  const test::TempFolder folder;
  Side a;
  Side b([&](auto& options) { options.listen = {"ipc://" + (folder.path() / "mesh").string()}; });
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());
  a.dial(b);
  REQUIRE(until([&] { return b.ups.size() == 1; }, {&a, &b}));
  CHECK(b.ups[0].proven_id == a.id());

  a.transport.reset();
  CHECK(until([&] { return b.downs.size() == 1; }, {&b}));
}

TEST_CASE("a listener whose key is not known is found among the trusted ones") {
  Side a;
  Side b;
  std::vector<Side> others(5);
  for (const Side& other : others) a.trusts(other);
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());

  a.transport->dial({b.address(), ""});

  REQUIRE(until([&] { return a.ups.size() == 1 && b.ups.size() == 1; }, {&a, &b}));
  CHECK(a.ups[0].key == b.options.key.public_key);
  CHECK(a.failed.empty());
}

TEST_CASE("a node that dials itself meets its own id") {
  Side a;
  REQUIRE(a.open());

  a.transport->dial({a.address(), ""});

  REQUIRE(until([&] { return a.ups.size() == 2; }, {&a}));
  CHECK(a.ups[0].proven_id == a.id());
  CHECK(a.ups[1].proven_id == a.id());
}

TEST_CASE("a name is looked up, and all its addresses are tried") {
  Side a;
  Side b;
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());
  const std::string port = b.address().substr(b.address().rfind(':'));

  a.transport->dial({"tcp://localhost" + port, ""});
  REQUIRE(until([&] { return b.ups.size() == 1; }, {&a, &b}));

  a.transport->dial({"tcp://no-such-host.invalid" + port, ""});
  REQUIRE(until([&] { return a.failed.size() == 1; }, {&a, &b}));
  CHECK(a.failed[0] == "tcp://no-such-host.invalid" + port);
}

TEST_CASE("an address that is none, or nobody is at, fails the dial and no more") {
  Pair pair;

  pair.a.transport->dial({"mqtt://127.0.0.1:1883", ""});
  pair.a.transport->dial({"ipc:///nowhere/marram.sock", ""});

  CHECK(pair.run([&] { return pair.a.failed.size() == 2; }));
  CHECK(pair.a.downs.empty());
}

TEST_CASE("a dial that nobody answers ends after a while") {
  Side a([](auto& options) { options.handshake_max = 300ms; });
  Side b;
  a.trusts(b);
  REQUIRE(a.open());
  REQUIRE(b.open());

  // Accepted by the system, answered by nobody: b does not run.
  a.dial(b);

  CHECK(until([&] { return a.failed.size() == 1; }, {&a}));
  CHECK(a.ups.empty());
}

TEST_CASE("nothing is to be done when nothing happens") {
  Pair pair;

  CHECK(pair.run([&] { return !pair.a.transport->wake_at() && !pair.b.transport->wake_at(); }));
}

TEST_CASE("who was dialled and sends without end waits for who reads") {
  Side a([](auto& options) { options.key = {}; });
  REQUIRE(a.open());
  zmq::context_t context;
  zmq::socket_t listener(context, zmq::socket_type::router);
  listener.set(zmq::sockopt::linger, 0);
  listener.set(zmq::sockopt::sndhwm, 1);
  listener.set(zmq::sockopt::sndtimeo, 500);
  listener.set(zmq::sockopt::router_mandatory, true);
  listener.bind("tcp://127.0.0.1:*");
  a.transport->dial({listener.get(zmq::sockopt::last_endpoint), ""});
  zmq::message_t peer;
  REQUIRE(until([&] { return listener.recv(peer, zmq::recv_flags::dontwait).has_value(); }, {&a}));

  const std::string frame =
      wire::encode_link(wire::Part{1, 0, 1, 0, 65'536, std::string(65'536, 'x')});
  std::size_t bytes = 0;
  while (bytes < std::size_t{256} << 20) {
    if (!listener.send(zmq::buffer(peer.to_string()), zmq::send_flags::sndmore)) break;
    if (!listener.send(zmq::buffer(frame), zmq::send_flags::none)) break;
    bytes += frame.size();
  }

  CHECK(bytes < std::size_t{128} << 20);
}

TEST_SUITE_END();
