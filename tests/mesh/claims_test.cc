// What is asked for on behalf of peers that were promised it, and what is kept for them meanwhile.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};

wire::Want claim(std::uint64_t number, std::uint64_t from) {
  return {.number = number,
          .log = kLog,
          .kind = wire::WantKind::Repair,
          .standing = true,
          .from = {.seq = from},
          .owed = from};
}

// A copy from 64 on, and behind it a part that was filled in for a peer: 1 to 29.
struct PartBehind : OneNode {
  PartBehind()
      : OneNode({}, {{.no = 1, .id = kLog, .head = 89, .whole_from = 64}},
                {.backfills = {{1, {.from = 1, .to = 63, .upto = 29, .all = true}}},
                 .holds = {{"peer", kLog.stream, {}, {{1, 0}}}},
                 .facts = {}}),
        peer(greet("peer")) {}
  bool drops_part() const {
    return std::any_of(out.begin(), out.end(), [](const Action& action) {
      const auto* const write = std::get_if<WriteCopy>(&action);
      return write != nullptr && write->write.end_backfill;
    });
  }

  SessionId peer;
};

TEST_SUITE_BEGIN("mesh/claims");

TEST_CASE("who holds the stream is asked where the way to the origin is through who asks") {
  for (const std::uint64_t head : {0, 20}) {
    CAPTURE(head);
    std::vector<LogRecord> copies;
    if (head != 0) copies.push_back({.no = 1, .id = kLog, .head = head, .whole_from = 1});
    OneNode node({}, copies);
    const SessionId asker = node.greet("asker");
    node.say(asker, wire::State{{},
                                {record("asker", 1, {{"node", 1}, {"origin", 1}}),
                                 record_of_origin(kLog, {{"asker", 1}})}});
    const wire::Begin next{.seq = head + 1};
    node.say(asker, wire::Want{.number = 1, .log = kLog, .standing = true, .from = next});
    const SessionId keeper = node.greet("keeper");
    node.say(keeper, wire::Held{kLog.stream, {}});
    node.say(asker, claim(3, head + 1));
    node.run(1s);

    REQUIRE(node.said<wire::Want>(keeper).size() == 1);
    CHECK(node.said<wire::Want>(keeper)[0].kind == wire::WantKind::Repair);
    CHECK(node.said<wire::Want>(keeper)[0].standing);
    CHECK(node.said<wire::Want>(keeper)[0].all);
    CHECK(node.said<wire::Want>(keeper)[0].from.seq == head + 1);
    CHECK(node.said<wire::Want>(keeper)[0].owed == head + 1);
  }
}

TEST_CASE("what is held for a peer is not asked for as promised of that peer itself") {
  const std::vector<HoldRecord> holds = {{"peer", kLog.stream, {}, {{1, 5}}}};
  OneNode node({}, {{.no = 1, .id = kLog, .head = 10, .whole_from = 1}},
               {.backfills = {}, .holds = holds, .facts = {}});
  node.mesh->put_interest({1, "reader", true, {{"#", {}}}, {{1, 10}}}, node.now, node.out);
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::State{{}, {record("peer", 1, {{"origin", 1}, {"node", 1}})}});
  node.say(peer, wire::State{{}, {record_of_origin(kLog, {{"peer", 1}})}});
  node.run(200ms);

  REQUIRE(!node.said<wire::Want>(peer).empty());
  CHECK(node.said<wire::Want>(peer)[0].from.seq == 11);
  CHECK(node.said<wire::Want>(peer)[0].owed == 11);
}

TEST_CASE("who may have what is waited for is asked when another peer needs it too") {
  const std::vector<HoldRecord> holds = {{"peer", kLog.stream, {}, {{1, 36}}}};
  OneNode node({}, {{.no = 1, .id = kLog, .head = 36, .whole_from = 1}},
               {.backfills = {}, .holds = holds, .facts = {}});
  const SessionId origin = node.greet("origin");
  node.say(origin, wire::State{{}, {record_of_origin(kLog)}});
  const SessionId peer = node.greet("peer");
  const SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Held{kLog.stream, {{kLog, 26}}});
  node.say(keeper, wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 65}});
  node.run(200ms);
  const wire::Want asked = node.said<wire::Want>(origin).back();
  REQUIRE(asked.from.seq == 37);
  node.say(origin, wire::LinkGap{asked.number, 37, 64, "retention"});
  node.say(origin, wire::Upto{asked.number, 36, 64});
  node.run(200ms);
  CHECK(node.said<wire::Want>(keeper).empty());  // who alone asks would only be asked for itself

  node.say(peer,
           wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 37}, .owed = 37});
  node.run(200ms);

  REQUIRE(node.said<wire::Want>(keeper).size() == 1);
  CHECK(node.said<wire::Want>(keeper)[0].kind == wire::WantKind::Repair);
  CHECK(node.said<wire::Want>(keeper)[0].from.seq == 37);
}

TEST_CASE("a node that has all of a closed log asks nobody for more") {
  OneNode node({}, {{.no = 1, .id = kLog, .head = 20, .whole_from = 1}});
  node.mesh->put_interest({1, "reader", true, {{"#", {}}}, {{1, 20}}}, node.now, node.out);
  const SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Held{kLog.stream, {{kLog, 20}}});
  const SessionId origin = node.greet("origin");
  const LogId newer{kLog.origin, "2-y", kLog.stream};
  node.say(origin, wire::State{{}, {record_of_origin(newer)}});
  node.run(3s);

  for (const wire::Want& want : node.said<wire::Want>(keeper)) CHECK(want.log == newer);
  CHECK(!node.said<wire::Want>(origin).empty());
}

TEST_CASE("what was filled in for a peer that is here stays, though it does not ask for it") {
  PartBehind node;
  const FilterStart start{"#", {wire::Begin::At::Head, 0, {}}};
  node.mesh->put_interest({1, "reader", false, {start}, {}}, node.now, node.out);

  for (int i = 0; i < 10; ++i) {
    node.say(node.peer, wire::Ping{});
    node.run(1s);
  }
  CHECK_FALSE(node.drops_part());
  node.say(node.peer, wire::Release{kLog.stream, {kLog}});
  node.run(1s);
  CHECK(node.drops_part());
}

TEST_CASE("what lies between a part and its copy is had from the peer that needs the part") {
  PartBehind node;
  node.say(node.peer, wire::Have{{{kLog, 30, 89, {}}}});
  node.say(node.peer, claim(1, 1));
  node.run(1s);

  const auto asked = node.said<wire::Want>(node.peer);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].kind == wire::WantKind::Backfill);
  CHECK(asked[0].from.seq == 30);
  CHECK(asked[0].to == 63);
}

TEST_CASE("who had what was asked for is asked again when more of it is needed") {
  LogRecord copy{.no = 1, .id = kLog, .first = 22, .head = 22, .whole_from = 0};
  copy.filters = {{"t/1", 22}};
  OneNode node({}, {copy});
  node.mesh->put_interest({1, "reader", true, {{"t/1", {}}}, {{1, 5}}}, node.now, node.out);
  const SessionId origin = node.greet("origin");
  const SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Held{kLog.stream, {}});
  node.say(origin, wire::State{{}, {record_of_origin(kLog)}});
  node.run(200ms);
  const auto last = [&](SessionId session, wire::WantKind kind) {
    std::optional<wire::Want> found;
    for (const wire::Want& want : node.said<wire::Want>(session)) {
      if (want.kind == kind) found = want;
    }
    REQUIRE(found);
    return *found;
  };
  const auto tell_gap = [&] {
    const wire::Want asked = last(origin, wire::WantKind::Backfill);
    node.say(origin, wire::LinkGap{asked.number, asked.from.seq, 21, "retention"});
    node.say(origin, wire::Upto{asked.number, asked.from.seq - 1, asked.to});
    node.run(200ms);
  };
  node.say(origin, wire::Upto{last(origin, wire::WantKind::Main).number, 22, 22});
  std::size_t written = 0;
  const auto write_all = [&] {
    for (; written < node.out.size(); ++written) {
      auto* const write = std::get_if<WriteCopy>(&node.out[written]);
      if (write == nullptr) continue;
      if (write->write.end_backfill) copy.first = 6;
      copy.whole_from = write->write.whole_from.value_or(copy.whole_from);
      copy.filters = write->write.filters.value_or(copy.filters);
      const Token token = write->token;  // the list grows
      node.mesh->on_backfilled(copy, {}, node.now, node.out);
      node.mesh->on_written(token, 1U, node.now, node.out);
    }
    node.run(200ms);
  };
  tell_gap();
  const wire::Want repair = last(keeper, wire::WantKind::Repair);
  REQUIRE_FALSE(repair.all);
  node.say(keeper, wire::Upto{repair.number, 5, 21});
  write_all();

  const SessionId peer = node.greet("peer");
  node.say(peer,
           wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 1}, .owed = 1});
  node.run(200ms);
  node.say(origin, wire::Upto{last(origin, wire::WantKind::Main).number, 22, 22});
  write_all();
  tell_gap();

  CHECK(last(keeper, wire::WantKind::Repair).all);
}

// Who was started again may be about to acknowledge what others hold for it.
TEST_CASE("what is held is said first, and nothing is acknowledged before it is heard") {
  const std::vector<HoldRecord> holds = {{"peer", kLog.stream, {}, {{1, 3}}}};
  OneNode node({}, {{.no = 1, .id = kLog, .head = 10, .whole_from = 1}},
               {.backfills = {}, .holds = holds, .facts = {}});
  node.mesh->put_interest({1, "reader", true, {{"#", {}}}, {{1, 10}}}, node.now, node.out);
  const SessionId peer = node.greet("peer");
  std::optional<bool> held_first;
  for (const Action& action : node.out) {
    const auto* const send = std::get_if<SendFrame>(&action);
    if (send == nullptr || held_first) continue;
    if (std::holds_alternative<wire::Held>(send->frame)) held_first = true;
    if (std::holds_alternative<wire::State>(send->frame)) held_first = false;
  }
  CHECK(held_first == std::optional<bool>(true));

  node.say(peer, wire::Held{kLog.stream, {{kLog, 0}}});
  node.run(1s);
  CHECK(node.said<wire::Ack>(peer).empty());
  node.say(peer, wire::State{});
  node.run(1s);
  CHECK(node.said<wire::Ack>(peer).size() == 1);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
