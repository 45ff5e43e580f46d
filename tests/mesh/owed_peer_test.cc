// What is owed to a peer, and what that peer itself is asked and told of it.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};

// A node that has 1..74 of a log, and holds what follows for a peer.  Somebody else, who was
// promised nothing, has it ask for more.
struct Holder : OneNode {
  explicit Holder(MeshOptions with = {})
      : OneNode(std::move(with), {{.no = 1, .id = kLog, .head = 74, .whole_from = 1}},
                {.backfills = {}, .holds = {{"peer", kLog.stream, {}, {{1, 74}}}}, .facts = {}}) {}

  // The way to the origin is over the peer, or there is a link to it; the peer comes, or is away.
  void begin(bool over_peer, bool peer_comes = true) {
    if (!over_peer) {
      origin = greet("origin");
      say(origin, wire::State{{}, {record_of_origin(kLog)}});
    }
    other = greet("other");
    say(other, wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 75}});
    live(7s);  // so that nothing is owed to it because it has just come
    if (peer_comes) peer = greet("peer");
    if (over_peer) {
      say(peer, wire::State{{},
                            {record("peer", 1, {{"node", 1}, {"origin", 1}}),
                             record_of_origin(kLog, {{"peer", 1}})}});
    }
    run(200ms);
  }
  // All of them give signs of life.
  void live(Duration time) {
    for (const TimePoint end = now.steady + time; now.steady < end;) {
      run(500ms);
      for (const SessionId session : {origin, other, peer}) {
        if (session != 0) say(session, wire::Ping{});
      }
    }
  }
  wire::Want last_want(SessionId session) const {
    const auto asked = said<wire::Want>(session);
    REQUIRE(!asked.empty());
    return asked.back();
  }
  void tell_gap(SessionId session) {
    const std::uint64_t want = last_want(session).number;
    out.clear();
    say(session, wire::LinkGap{want, 75, 93, "retention"});
    say(session, wire::Upto{want, 74, 93});
  }
  bool passes() const {
    return std::any_of(out.begin(), out.end(), [](const Action& action) {
      const auto* const write = std::get_if<WriteCopy>(&action);
      return write != nullptr && write->write.upto == 93;
    });
  }

  SessionId origin = 0;
  SessionId other = 0;
  SessionId peer = 0;
};

TEST_SUITE_BEGIN("mesh/owed_peer");

TEST_CASE("a gap that a peer tells is not held up for that peer") {
  Holder node;
  node.begin(true);

  node.tell_gap(node.peer);

  CHECK(node.passes());
}

TEST_CASE("a peer that holds the stream is not asked for what is owed to it alone") {
  Holder node;
  node.begin(false);
  node.mesh->put_interest({1, "reader", true, {{"none", {}}}, {}}, node.now, node.out);
  node.say(node.peer, wire::Held{kLog.stream, {}});

  node.tell_gap(node.origin);

  CHECK_FALSE(node.passes());
  CHECK(node.said<wire::Want>(node.peer).empty());
}

TEST_CASE("a peer that has it is asked for what is owed to it, and told that it is owed") {
  Holder node;
  node.begin(false);
  node.say(node.peer, wire::Have{{{kLog, 1, 93, "id"}}});

  node.tell_gap(node.origin);

  const wire::Want repair = node.last_want(node.peer);
  CHECK(repair.kind == wire::WantKind::Repair);
  CHECK(repair.owed == 75);
}

// It may be on its way to ask another.
TEST_CASE("what a peer stops to ask for is owed to it for a while") {
  for (const auto wait : {Duration(1s), Duration(7s)}) {
    CAPTURE(wait.count());
    Holder node;
    node.begin(false);
    node.say(node.peer,
             wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 75}});
    node.live(7s);

    node.say(node.peer, wire::Stop{1});
    node.live(wait);
    node.tell_gap(node.origin);

    CHECK(node.passes() == (wait > 6s));
  }
}

// It looks for another way, and who reads in passing goes on.
TEST_CASE(
    "what is held for a peer that is here is held for the node until the peer lets go of it") {
  Holder node;
  node.begin(false);
  const wire::Want asks{.number = 1, .log = kLog, .standing = true, .from = {.seq = 75}};
  node.say(node.other, wire::Release{kLog.stream, {}});
  node.say(node.other, wire::Want{.number = 3, .log = kLog, .from = {.seq = 75}});
  node.say(node.peer, asks);
  node.live(7s);
  REQUIRE(node.last_want(node.origin).standing);

  node.say(node.peer, wire::Stop{asks.number});
  node.live(7s);
  CHECK(node.last_want(node.origin).standing);
  CHECK(node.said<wire::Release>(node.origin).empty());
  node.say(node.peer, wire::Release{kLog.stream, {kLog}});
  node.live(1s);

  CHECK_FALSE(node.last_want(node.origin).standing);
  CHECK(node.said<wire::Release>(node.origin).size() == 1);
}

// The peer was here all the time, and nobody could be asked.
TEST_CASE("who comes back with what a peer may ask for is not let go of at once") {
  Holder node;
  node.peer = node.greet("peer");
  node.live(7s);
  SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Held{kLog.stream, {{kLog, 74}}});
  node.mesh->on_session_down(keeper, {Errc::Unreachable, "cut"}, node.now, node.out);
  node.live(60s);

  keeper = node.greet("keeper");
  const auto live = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += 1s) {
      node.live(1s);
      node.say(keeper, wire::Ping{});
    }
    return node.said<wire::Release>(keeper).size();
  };
  CHECK(live(28s) == 0);
  CHECK(live(4s) == 1);
}

TEST_CASE("what a peer that is away may come back with is waited for, though all others are here") {
  Holder node({.stuck_max = 10s});
  node.begin(false, false);
  node.tell_gap(node.origin);

  node.live(60s);
  CHECK(node.mesh->status().holes.size() == 1);
  node.tell_gap(node.origin);
  CHECK_FALSE(node.passes());
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
