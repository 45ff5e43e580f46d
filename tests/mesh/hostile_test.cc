// Peers that say what they should not, and far too much of it.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kHuge = UINT64_MAX;
const LogId kLog{"origin", "1-x", "events"};

// A log that the node writes.
std::vector<LogRecord> own_log(std::uint64_t head) {
  return {{.no = 1, .id = {"node", "1-x", "events"}, .open = true, .head = head}};
}

// How many of the frames bring a record of `node`, and the last one's number.
std::pair<std::size_t, std::uint64_t> records_of(const std::vector<wire::State>& states,
                                                 const std::string& node) {
  std::pair<std::size_t, std::uint64_t> found;
  for (const wire::State& state : states) {
    for (const wire::MapRecord& record : state.records) {
      if (record.node_id == node) found = {found.first + 1, record.number};
    }
  }
  return found;
}

TEST_SUITE_BEGIN("mesh/hostile");

TEST_CASE("positions that no log can have end the session") {
  const auto check_refused = [](auto frame) {
    CAPTURE(wire::LinkFrame(decltype(frame)(frame)).index());
    OneNode node({.carry = {"*"}}, own_log(5));
    const SessionId peer = node.greet("peer");
    node.say(peer, std::move(frame));
    REQUIRE(node.hung_up(peer));
    CHECK(node.hung_up(peer)->code == Errc::Protocol);
  };
  wire::MapRecord copies = record("x", 1);
  copies.copies = {{kLog, 1, kHuge}};

  check_refused(wire::State{{}, {copies}});
  check_refused(wire::Have{{{kLog, 0, 5, {}}}});
  check_refused(wire::Have{{{kLog, 7, 5, {}}}});
  check_refused(wire::Have{{{kLog, 1, kHuge, {}}}});
  check_refused(wire::Held{"events", {{kLog, kHuge}}});
  check_refused(wire::Want{.number = 1, .log = kLog, .from = {wire::Begin::At::Seq, kHuge, {}}});
  check_refused(
      wire::Want{.number = 1, .log = kLog, .kind = wire::WantKind::Backfill, .to = kHuge});
  check_refused(wire::Ack{{{kLog, kHuge, 0}}});
  check_refused(wire::Ack{{{kLog, 0, kHuge}}});
  check_refused(wire::Upto{2, 5, 4});
  check_refused(wire::Upto{2, 5, kHuge});
  check_refused(wire::LinkGap{2, 0, 4, "retention"});
  check_refused(wire::LinkGap{2, 1, kHuge, "retention"});
  check_refused(wire::Part{2, 4, 4, 0, 10, "bytes"});
}

TEST_CASE("nobody has stored more of a node's log than it has written") {
  OneNode node({}, own_log(5));
  const SessionId peer = node.greet("peer");

  node.say(peer, wire::Ack{{{{"node", "1-x", "events"}, 900, 1000}}});

  std::vector<Replicated::Copy> stored;
  for (const Action& action : node.out) {
    if (const auto* const told = std::get_if<Replicated>(&action)) stored = told->stored;
  }
  CHECK(stored == std::vector<Replicated::Copy>{{1, 5}});
}

TEST_CASE("a peer that repeats the node's own record with rising numbers makes it say little") {
  OneNode node({}, own_log(5));
  const SessionId peer = node.greet("peer");
  node.run(2s);
  node.out.clear();

  for (std::uint64_t i = 0; i < 300; ++i) {
    node.say(peer, wire::State{{}, {record("node", 1000 + i)}});
    node.run(10ms, 10ms);
  }

  const auto [count, number] = records_of(node.said<wire::State>(peer), "node");
  CHECK(count >= 2);
  CHECK(count <= 5);
  CHECK(number > 1000);
}

TEST_CASE("a number that nobody reaches is no reason to go above it") {
  OneNode node({}, own_log(5));
  const SessionId peer = node.greet("peer");

  node.say(peer, wire::State{{{"node", kHuge}}, {record("node", kHuge), record("x", kHuge)}});
  node.run(2s);

  REQUIRE(node.mesh->map().size() == 1);
  CHECK(node.mesh->map().front().number < 1000);
}

TEST_CASE("an old record is answered with the newer one, to who sent it alone") {
  OneNode node;
  const SessionId a = node.greet("a");
  const SessionId b = node.greet("b");
  node.say(b, wire::State{});
  node.say(a, wire::State{{}, {record("x", 5)}});
  node.run(1s);
  node.out.clear();

  node.say(b, wire::State{{}, {record("x", 4)}});
  node.run(1s);

  CHECK(records_of(node.said<wire::State>(b), "x") == std::pair<std::size_t, std::uint64_t>(1, 5));
  CHECK(records_of(node.said<wire::State>(a), "x").first == 0);
}

TEST_CASE("a session that waits for the old one's end may not say without end") {
  OneNode node;
  node.greet("peer", "1");
  const SessionId again = node.greet("peer", "2");

  wire::State state;
  state.known.resize(wire::kKnownPerFrameMax, {"x", 1});
  for (int i = 0; i < 3; ++i) node.say(again, state);
  CHECK_FALSE(node.hung_up(again));
  for (int i = 0; i < 2; ++i) node.say(again, state);

  REQUIRE(node.hung_up(again));
  CHECK(node.hung_up(again)->code == Errc::TooLarge);
}

TEST_CASE("wants with more bytes of filters than the limit end the session; replaced ones do not") {
  OneNode node;
  const SessionId peer = node.greet("peer");
  std::vector<std::string> filters;
  for (int i = 0; i < 500; ++i) filters.push_back(fmt::format("{}/{}", std::string(900, 't'), i));
  std::uint64_t number = 1;
  const auto want = [&](const std::string& stream) {
    node.mesh->on_frame(
        peer,
        wire::Want{
            .number = number, .log = {"origin", "1-x", stream}, .all = false, .filters = filters},
        node.now, node.out);
    number += 2;
  };

  for (int i = 0; i < 200; ++i) want("events");
  CHECK_FALSE(node.hung_up(peer));
  for (int i = 0; i < 200 && !node.hung_up(peer); ++i) want(fmt::format("stream-{}", i));

  REQUIRE(node.hung_up(peer));
  CHECK(node.hung_up(peer)->code == Errc::TooLarge);
}

TEST_CASE("a peer that holds more logs than can be known is told so") {
  OneNode node({.logs_max = 10});
  const SessionId peer = node.greet("a");
  wire::Held held{"s", {}};
  for (int i = 0; i < 8; ++i) held.logs.push_back({{"o", "1-" + std::to_string(i), "s"}, 0});
  node.say(peer, held);
  CHECK_FALSE(node.hung_up(peer));

  node.say(peer, held);
  REQUIRE(node.hung_up(peer));
  CHECK(node.hung_up(peer)->code == Errc::TooLarge);
}

TEST_CASE("of many new peers all are told of, and some to a node that has one link") {
  OneNode node;
  const SessionId a = node.greet("a");
  const SessionId b = node.greet("b");
  const SessionId leaf = node.greet("leaf");
  node.say(a, wire::State{{}, {record("a", 1, {{"node", 1}, {"x", 1}})}});
  for (int i = 0; i < 600; i += 200) {
    wire::Peers peers;
    for (int j = 0; j < 200; ++j) {
      const std::string name = fmt::format("p{}", i + j);
      peers.peers.push_back({name, "", {fmt::format("tcp://{}:1", name)}, {}});
    }
    node.mesh->on_frame(b, std::move(peers), node.now, node.out);
  }
  node.run(5s);

  const auto told = [&](SessionId session) {
    std::size_t count = 0;
    for (const wire::Peers& peers : node.said<wire::Peers>(session)) {
      CHECK(peers.peers.size() <= wire::kPeersPerFrameMax);
      count += peers.peers.size();
    }
    return count;
  };
  CHECK(told(a) == 600);
  CHECK(told(leaf) == 8);
}

TEST_CASE("a peer for which too many streams would be held is told so") {
  OneNode node;
  const SessionId peer = node.greet("peer");

  std::uint64_t number = 1;
  for (int i = 0; i <= 4096 && !node.hung_up(peer); ++i, number += 2) {
    const LogId log{"origin", "1-x", fmt::format("stream-{}", i)};
    node.mesh->on_frame(peer, wire::Want{.number = number, .log = log, .standing = true}, node.now,
                        node.out);
  }

  REQUIRE(node.hung_up(peer));
  CHECK(node.hung_up(peer)->code == Errc::TooLarge);
  CHECK(node.mesh->status().holds.size() == 4096);
}

TEST_CASE("a number that is said of a node leaves it numbers of its own") {
  for (const std::uint64_t lie : {kHuge, kHuge >> 1, kHuge >> 2, std::uint64_t{1} << 40}) {
    CAPTURE(lie);
    OneNode node({}, own_log(5));
    const SessionId peer = node.greet("peer");
    wire::MapRecord own = record("node", lie);
    own.open = {{std::to_string(lie) + "-x", "events", {}, Durability::Fsync, Priority::Normal}};
    node.say(peer, wire::State{{{"node", lie}}, {own}});
    node.run(3s);

    CHECK(records_of(node.said<wire::State>(peer), "node").second < 1000);
    for (const Action& action : node.out) {
      const auto* const save = std::get_if<SaveFacts>(&action);
      if (save != nullptr) CHECK(save->facts.runs < 1000);
    }
  }
}

TEST_CASE("a log that is stored has its place, however many others are told of") {
  OneNode node({.logs_max = 10});
  const SessionId peer = node.greet("peer");
  wire::Have many;
  for (int i = 0; i < 50; ++i) many.logs.push_back({{"x", fmt::format("1-{}", i), "events"}, 1, 5});
  node.say(peer, many);
  CHECK(node.mesh->status().logs == 10);
  CHECK(node.reports(Report::What::Refused) > 0);

  node.mesh->on_log_opened(own_log(3)[0], node.now, node.out);

  CHECK(node.mesh->status().logs == 11);
}

TEST_CASE("who says again and again that a log has forked makes few epochs") {
  OneNode node({}, own_log(5));
  const SessionId peer = node.greet("peer");
  const auto epochs = [&] {
    return std::count_if(node.out.begin(), node.out.end(), [](const Action& action) {
      return std::holds_alternative<StartEpochAgain>(action);
    });
  };
  for (int second = 0; second < 120; ++second) {
    node.say(peer, wire::Have{{{own_log(5)[0].id, 1, 1000, {}}}});
    node.run(1s);
  }
  CHECK(epochs() >= 3);
  CHECK(epochs() <= 5);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
