// What a relay does for those who have a right to events, and who may be elsewhere.

#include <doctest/doctest.h>

#include "core/wire/link_codec.h"
#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};

// The origin's record: it writes the log, and has these neighbours.
wire::State announcement(std::vector<wire::Neighbour> neighbours = {}) {
  return {{}, {record_of_origin(kLog, std::move(neighbours))}};
}

// Wants of the log that the node sent in a session.
std::vector<wire::Want> wants(const OneNode& node, SessionId session) {
  return node.said<wire::Want>(session);
}

// A node that carries the stream, and has asked the log's origin, its peer, for it.
struct Carrier : OneNode {
  explicit Carrier(std::vector<LogRecord> logs = {})
      : OneNode({.carry = {"events"}}, std::move(logs)), origin(greet("origin")) {
    say(origin, announcement());
    run(1s);
    REQUIRE(!wants(*this, origin).empty());
  }
  // The origin gives signs of life, and the disk takes what there is to write.
  void live(Duration time) {
    for (const TimePoint end = now.steady + time; now.steady < end;) {
      run(1s);
      say(origin, wire::Ping{});
      write_all();
    }
  }
  void write_all() {
    for (; written < out.size(); ++written) {
      const auto* const write = std::get_if<WriteCopy>(&out[written]);
      if (write != nullptr) mesh->on_written(write->token, 1U, now, out);
    }
  }

  SessionId origin;
  std::size_t written = 0;
};

wire::PeerRecord at(std::string node_id, std::vector<std::string> addresses) {
  return {std::move(node_id), "", std::move(addresses), {}};
}

EventView large_event(const std::string& payload) {
  EventView event;
  event.topic = "t";
  event.id = "e";
  event.payload = payload;
  event.position = Position(0, 1);
  return event;
}

TEST_SUITE_BEGIN("mesh/owed");

TEST_CASE("a want says from where on its events are promised") {
  const Carrier node;

  CHECK(wants(node, node.origin)[0].owed == 1);
}

// It has come back, and its path may be cut before it has said all that it needs.
TEST_CASE("what is held for a peer that has just come back is not passed over") {
  OneNode node({}, {{.no = 1, .id = kLog, .head = 74, .whole_from = 1}},
               {.backfills = {}, .holds = {{"peer", kLog.stream, {}, {{1, 74}}}}, .facts = {}});
  const SessionId origin = node.greet("origin");
  node.say(origin, announcement());
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 75}});
  node.run(200ms);
  const auto passes = [&] {
    const auto asked = wants(node, origin);
    REQUIRE(!asked.empty());
    node.out.clear();
    node.say(origin, wire::LinkGap{asked.back().number, 75, 93, "retention"});
    node.say(origin, wire::Upto{asked.back().number, 74, 93});
    return std::any_of(node.out.begin(), node.out.end(), [](const Action& action) {
      const auto* const write = std::get_if<WriteCopy>(&action);
      return write != nullptr && write->write.upto == 93;
    });
  };

  CHECK_FALSE(passes());
  node.say(peer, wire::Ping{});
  node.run(7s);
  CHECK(passes());
}

TEST_CASE("what a peer is not owed is not looked for on its behalf") {
  const LogId first{"origin", "1-x", "events"};
  const LogId next{"origin", "2-x", "events"};
  const auto owed_to_node = [&](std::uint64_t owed) {
    OneNode node;
    const SessionId origin = node.greet("origin");
    node.say(origin, wire::State{{}, {record_of_origin(next)}});
    const SessionId peer = node.greet("peer");
    const wire::Begin begin{wire::Begin::At::Seq, 1, {}};
    node.say(peer, wire::Want{.number = 1, .log = first, .standing = true, .from = begin});
    node.say(peer, wire::Want{.number = 3,
                              .log = next,
                              .kind = wire::WantKind::Repair,
                              .standing = true,
                              .from = begin,
                              .owed = owed});
    node.run(1s);
    for (const wire::Want& want : node.said<wire::Want>(origin)) {
      if (want.log == next) return want.owed;
    }
    return std::uint64_t{0};
  };

  CHECK(owed_to_node(19) == 19);
  CHECK(owed_to_node(1) == 1);
  CHECK(owed_to_node(0) == 0);
}

TEST_CASE("who holds the stream is asked for what the origin has trimmed") {
  Carrier node;
  const SessionId keeper = node.greet("keeper");
  const SessionId other = node.greet("other");
  node.say(keeper, wire::Held{"events", {}});
  const auto trimmed = [&](const wire::Want& want) {
    node.say(node.origin, wire::LinkGap{want.number, 1, 4, "retention"});
    node.say(node.origin, wire::Upto{want.number, 0, 4});
    node.run(1s);
  };
  trimmed(wants(node, node.origin).at(0));
  REQUIRE(wants(node, node.origin).back().kind == wire::WantKind::Backfill);
  trimmed(wants(node, node.origin).back());

  REQUIRE(wants(node, keeper).size() == 1);
  CHECK(wants(node, keeper)[0].kind == wire::WantKind::Repair);
  CHECK(wants(node, keeper)[0].standing);
  CHECK(wants(node, keeper)[0].from.seq == 1);
  CHECK(wants(node, other).empty());

  // It has none of it, and says so; that is no news when it has been asked for all.
  const auto has_none = [&] {
    node.say(keeper, wire::Stop{wants(node, keeper).back().number});
    node.say(keeper, wire::Have{{{kLog, 5, 4, {}}}});
    trimmed(wants(node, node.origin).back());
  };
  for (int i = 0; i < 5; ++i) has_none();
  CHECK(wants(node, keeper).size() == 2);
}

TEST_CASE("a relay says that there is no more only when its own upstream has said so") {
  Carrier node({{.no = 1, .id = kLog, .head = 5}});
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 6}});
  node.run(1s);
  CHECK(node.said<wire::Upto>(peer).empty());

  const wire::Want asked = wants(node, node.origin).back();
  node.say(node.origin, wire::Upto{asked.number, 5, 5});

  REQUIRE(node.said<wire::Upto>(peer).size() == 1);
  CHECK(node.said<wire::Upto>(peer)[0].upto == 5);
}

TEST_CASE("what is filled in is acknowledged when it is on disk") {
  LogRecord copy{.no = 1, .id = kLog, .first = 10, .head = 20, .whole_from = 10};
  OneNode node({}, {copy});
  const SessionId origin = node.greet("origin");
  node.say(origin, announcement());
  const FilterStart start{"#", {wire::Begin::At::Seq, 1, {}}};
  node.mesh->put_interest({1, "reader", true, {start}, {}}, node.now, node.out);
  node.run(1s);
  const auto acked = [&] {
    std::uint64_t most = 0;
    for (const auto& frame : node.said<wire::Ack>(origin)) {
      for (const wire::AckEntry& entry : frame.logs) most = std::max(most, entry.acked);
    }
    return most;
  };
  // The answer to the last want, which is to be written.
  const auto fill = [&] {
    const wire::Want asked = wants(node, origin).back();
    REQUIRE(asked.kind == wire::WantKind::Backfill);
    node.say(origin, wire::LinkGap{asked.number, 1, 9, "lost"});
    node.say(origin, wire::Upto{asked.number, 0, 9});
    Token token = 0;
    for (const Action& action : node.out) {
      if (const auto* const write = std::get_if<WriteCopy>(&action)) token = write->token;
    }
    REQUIRE(token != 0);
    node.run(500ms);
    CHECK(acked() == 0);
    node.out.clear();
    return token;
  };
  node.mesh->on_written(fill(), fail(Errc::Full, "store: full"), node.now, node.out);
  node.run(2s);
  CHECK(acked() == 0);

  const Token token = fill();
  copy.first = copy.whole_from = 1;
  node.mesh->on_backfilled(copy, {}, node.now, node.out);
  node.mesh->on_written(token, 1U, node.now, node.out);
  node.run(500ms);
  CHECK(acked() == 20);
}

TEST_CASE("what is kept for one peer alone, that peer need not hold") {
  const std::vector<HoldRecord> holds = {{"peer", kLog.stream, {}, {{1, 0}}},
                                         {"other", kLog.stream, {}, {{1, 10}}}};
  OneNode node({}, {{.no = 1, .id = kLog, .first = 2, .head = 10, .whole_from = 2}},
               {.backfills = {}, .holds = holds, .facts = {}});
  const FilterStart start{"#", {wire::Begin::At::Head, 0, {}}};
  node.mesh->put_interest({1, "reader", true, {start}, {{1, 10}}}, node.now, node.out);
  const SessionId peer = node.greet("peer");
  const SessionId other = node.greet("other");
  for (const SessionId holder : {peer, other}) {
    node.say(holder, wire::Held{kLog.stream, {{kLog, 0}}});
    node.say(holder, wire::State{});
  }
  node.run(1s);

  const auto acked = [&](SessionId holder) {
    std::uint64_t last = 0;
    for (const auto& frame : node.said<wire::Ack>(holder)) last = frame.logs.back().acked;
    return last;
  };
  CHECK(acked(peer) == 10);
  CHECK(acked(other) == 0);
}

TEST_CASE("a repair is answered where what was read ends with the event before") {
  LogRecord own{.no = 1, .id = {"node", "1-x", "events"}, .open = true, .head = 3};
  own.head_id = "e-3";
  OneNode node({}, {own});
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::Want{.number = 1,
                            .log = own.id,
                            .kind = wire::WantKind::Repair,
                            .from = {.seq = 2},
                            .id = "e-1"});
  const auto reads = [&] {
    std::vector<ReadEvents> all;
    for (const Action& action : node.out) {
      if (const auto* const read = std::get_if<ReadEvents>(&action)) all.push_back(*read);
    }
    return all;
  };
  REQUIRE(reads().size() == 1);
  CHECK(reads()[0].after == 0);

  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  EventView event;
  event.topic = "t";
  event.id = "e-1";
  event.position = Position(1, 1);
  batch->add(event, node.now.wall, ids);
  node.mesh->on_read(reads()[0].token, ReadResult{std::move(batch), 1, {}, 1}, node.now, node.out);
  node.tick();

  CHECK(node.said<wire::Stop>(peer).empty());
  REQUIRE(reads().size() == 2);
  CHECK(reads()[1].after == 1);
}

TEST_CASE("a holder is let go of when the new upstream has lasted") {
  Carrier node;
  const SessionId old = node.greet("old");
  node.say(old, wire::Held{"events", {{kLog, 0}}});
  node.say(old, wire::Have{{{kLog, 1, 0, ""}}});
  node.say(node.origin, wire::Upto{wants(node, node.origin).at(0).number, 0, 0});
  node.live(3s);
  CHECK(node.said<wire::Release>(old).empty());

  node.live(2s);

  CHECK(node.said<wire::Release>(old).size() == 1);
}

TEST_CASE("a holder that has just come back is not let go of before it has said what it has") {
  Carrier node;
  SessionId old = node.greet("old");
  node.say(old, wire::Held{"events", {{kLog, 0}}});
  node.say(node.origin, wire::Upto{wants(node, node.origin).at(0).number, 0, 0});
  node.mesh->on_session_down(old, {Errc::Unreachable, "cut"}, node.now, node.out);
  node.live(10s);
  old = node.greet("old");

  node.live(4s);
  CHECK(node.said<wire::Release>(old).empty());
  node.live(2s);
  CHECK(node.said<wire::Release>(old).size() == 1);
}

TEST_CASE("who holds the stream is asked for what the upstream, waiting itself, does not send") {
  Carrier node;
  const SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Held{"events", {}});
  const std::uint64_t number = wants(node, node.origin).at(0).number;
  node.say(node.origin, wire::LinkGap{number, 1, 4, "retention"});
  node.say(node.origin, wire::Upto{number, 0, 4});
  REQUIRE(wants(node, node.origin).back().kind == wire::WantKind::Backfill);
  node.live(1s);

  REQUIRE(wants(node, keeper).size() == 1);
  CHECK(wants(node, keeper)[0].kind == wire::WantKind::Repair);
  CHECK(wants(node, keeper)[0].standing);
  CHECK(wants(node, keeper)[0].to == 4);
}

TEST_CASE("who waits for what is trimmed asks ever more seldom, also where more is trimmed") {
  Carrier node;
  const auto answer = [&](std::uint64_t after, std::uint64_t upto, bool trimmed) {
    const std::uint64_t number = wants(node, node.origin).back().number;
    if (trimmed) node.say(node.origin, wire::LinkGap{number, after + 1, upto, "retention"});
    node.say(node.origin, wire::Upto{number, after, upto});
  };
  answer(0, 10, false);
  answer(10, 14, true);
  const auto asked = [&] { return wants(node, node.origin).size(); };
  const std::size_t before = asked();
  node.live(21s);
  CHECK(asked() == before + 1);

  answer(10, 20, true);
  node.live(30s);
  CHECK(asked() == before + 1);
  node.live(15s);
  CHECK(asked() == before + 2);
}

TEST_CASE("a peer has stored a log from where it began with it") {
  for (const wire::Begin& begin :
       {wire::Begin{wire::Begin::At::Seq, 1, {}}, wire::Begin{wire::Begin::At::Head, 0, {}}}) {
    const LogId own{"node", "1-x", "events"};
    OneNode node({}, {{.no = 1, .id = own, .open = true, .head = 50}});
    const SessionId peer = node.greet("peer");
    node.say(peer, wire::Want{.number = 1, .log = own, .standing = true, .from = begin});
    node.say(peer, wire::Ack{{{own, 50, 50}}});

    std::vector<Replicated::Copy> stored;
    for (const Action& action : node.out) {
      if (const auto* const told = std::get_if<Replicated>(&action)) stored = told->stored;
    }
    const std::uint64_t from = begin.at == wire::Begin::At::Seq ? 1 : 51;
    CHECK(stored == std::vector<Replicated::Copy>{{from, 50}});
  }
}

TEST_CASE("what a peer had another way is not asked for any more") {
  OneNode node;
  const SessionId origin = node.greet("origin");
  node.say(origin, announcement());
  const SessionId leaf = node.greet("leaf");
  node.say(leaf, wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 1}});
  node.run(1s);
  REQUIRE(wants(node, origin).size() == 1);
  CHECK(wants(node, origin)[0].from.seq == 1);

  node.say(leaf, wire::Ack{{{kLog, 50, 0}}});
  node.run(1s);

  REQUIRE(wants(node, origin).size() == 2);
  CHECK(wants(node, origin)[1].from.seq == 51);
}

TEST_CASE("who holds for a peer that lives elsewhere asks others where that is") {
  OneNode node({}, {{.no = 1, .id = {"node", "1-x", "events"}, .open = true, .head = 9}});
  const SessionId away = node.greet("away");
  node.say(
      away,
      wire::Want{
          .number = 1, .log = {"node", "1-x", "events"}, .standing = true, .from = {.seq = 1}});
  const SessionId origin = node.greet("origin");
  node.mesh->on_session_down(away, {Errc::Unreachable, "gone"}, node.now, node.out);
  node.say(origin, announcement({{"node", 1}, {"away", 1}}));
  node.say(origin, wire::State{{}, {record("away", 1, {{"origin", 1}})}});
  node.run(3s);

  const auto asked = node.said<wire::Peers>(origin);
  REQUIRE(!asked.empty());
  REQUIRE(asked.back().peers.size() == 1);
  CHECK(asked.back().peers[0].node_id == "away");
  CHECK(asked.back().peers[0].addresses.empty());
  node.say(origin, wire::Peers{{at("away", {"tcp://10.0.0.9:7400"})}});
  node.run(3s);
  CHECK(std::any_of(node.out.begin(), node.out.end(), [](const Action& action) {
    const auto* const dial = std::get_if<Dial>(&action);
    return dial != nullptr && dial->address == "tcp://10.0.0.9:7400";
  }));
}

// It has read an earlier run meanwhile, which is no sign that it was there before the later one.
// The map does not say how far a log goes that its origin writes.
TEST_CASE("who holds for a peer what others only announce looks for that peer") {
  OneNode node;
  const SessionId away = node.greet("away");
  const SessionId origin = node.greet("origin");
  node.say(origin, announcement({{"node", 1}, {"away", 1}}));
  node.say(away, wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 1}});
  node.mesh->on_session_down(away, {Errc::Unreachable, "gone"}, node.now, node.out);
  node.say(origin, wire::State{{}, {record("away", 1, {{"origin", 1}})}});
  node.run(3s);
  REQUIRE(node.said<wire::Peers>(origin).empty());

  node.say(origin, wire::Have{{{kLog, 1, 9, {}}}});
  node.run(3s);

  REQUIRE_FALSE(node.said<wire::Peers>(origin).empty());
  CHECK(node.said<wire::Peers>(origin).back().peers[0].node_id == "away");
}

TEST_CASE("a record of a peer without addresses is a question, and is answered") {
  OneNode node;
  const SessionId asker = node.greet("asker");
  const SessionId other = node.greet("other");
  node.say(other, wire::Peers{{at("far", {"tcp://10.0.0.9:7400"})}});
  node.run(3s);
  const std::size_t before = node.said<wire::Peers>(asker).size();

  node.say(asker, wire::Peers{{at("far", {}), at("nobody", {})}});

  const auto said = node.said<wire::Peers>(asker);
  REQUIRE(said.size() == before + 1);
  REQUIRE(said.back().peers.size() == 1);
  CHECK(said.back().peers[0].addresses == std::vector<std::string>{"tcp://10.0.0.9:7400"});
}

TEST_CASE("while a large event waits for the disk no more room is given for parts") {
  Carrier node;
  const SessionId origin = node.origin;
  const std::uint64_t want = wants(node, origin).at(0).number;
  const std::string packed = wire::pack_event(large_event(std::string(50'000, 'x')));
  const auto say_part = [&](std::uint64_t seq) {
    node.say(origin, wire::Part{want, seq - 1, seq, 0, packed.size() + seq - 1, packed});
  };
  const auto granted = [&] { return node.said<wire::Credit>(origin).back().granted; };

  say_part(1);  // whole: it is written
  node.run(1s);
  const std::uint64_t before = granted();
  say_part(2);  // only begun
  node.run(1s);
  CHECK(granted() == before);

  const auto write = std::find_if(node.out.begin(), node.out.end(), [](const Action& action) {
    return std::holds_alternative<WriteCopy>(action);
  });
  REQUIRE(write != node.out.end());
  node.mesh->on_written(std::get<WriteCopy>(*write).token, 1U, node.now, node.out);
  node.run(1s);

  CHECK(granted() == before + packed.size() + wire::kFrameCredit);
}

TEST_CASE("an origin whose disk went back asks also the one that asks it") {
  const LogId own{"node", "1-x", "events"};
  OneNode node({}, {{.no = 1, .id = own, .head = 14}});
  const SessionId peer = node.greet("peer");
  wire::MapRecord has = record("peer", 1, {{"node", 1}});
  has.copies = {{own, 1, 37}};
  node.say(peer, wire::State{{}, {has}});
  node.say(peer, wire::Want{.number = 1, .log = own, .standing = true, .from = {.seq = 38}});
  node.run(1s);

  REQUIRE(wants(node, peer).size() == 1);
  CHECK(wants(node, peer)[0].from.seq == 15);
}

TEST_CASE("a node whose database is older than what others have of it says so once") {
  const LogId own{"node", "1-x", "events"};
  OneNode node({}, {{.no = 1, .id = own, .head = 100}});
  const SessionId peer = node.greet("peer");
  const auto tell = [&](std::uint64_t number, std::vector<wire::CopyNote> copies) {
    wire::MapRecord has = record("peer", number);
    has.copies = std::move(copies);
    node.say(peer, wire::State{{}, {has}});
    node.run(1s);
    return node.reports(Report::What::Older);
  };
  CHECK(tell(1, {{own, 1, 100}}) == 0);
  CHECK(tell(2, {{own, 1, 160}}) == 1);
  CHECK(tell(3, {{own, 1, 160}, {{"node", "2-y", "events"}, 1, 40}}) == 1);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
