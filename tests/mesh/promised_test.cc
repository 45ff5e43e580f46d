// What a node that carries a stream answers for: what is here, or held for it by others.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};

// A node that carries the stream hears of a log from its origin, which has trimmed the first 57.
struct Late : OneNode {
  Late() : OneNode({.carry = {"events"}}), origin(greet("origin")) {
    say(origin, wire::State{{}, {record_of_origin(kLog)}});
    run(1s);
    const auto asked = said<wire::Want>(origin);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].from.seq == 1);
    CHECK(asked[0].owed == 0);
    say(origin, wire::LinkGap{asked[0].number, 1, 57, "retention"});
    say(origin, wire::Upto{asked[0].number, 0, 58});
    for (const Action& action : out) {
      const auto* const write = std::get_if<WriteCopy>(&action);
      if (write == nullptr) continue;
      CHECK(write->write.after == 57);
      CHECK(write->write.whole_from == std::optional<std::uint64_t>(58));
      token = write->token;
    }
    REQUIRE(token != 0);
    mesh->on_copied({.no = 1, .id = kLog, .first = 58, .head = 58, .whole_from = 58}, now, out);
    mesh->on_written(token, 1U, now, out);
    run(1s);
  }
  std::vector<wire::Want> wants(SessionId session, wire::WantKind kind) const {
    auto all = said<wire::Want>(session);
    std::erase_if(all, [&](const wire::Want& want) { return want.kind != kind; });
    return all;
  }

  SessionId origin;
  Token token = 0;
};

TEST_SUITE_BEGIN("mesh/promised");

TEST_CASE("what was trimmed before a log was heard of is not waited for") {
  const Late node;

  CHECK(node.wants(node.origin, wire::WantKind::Backfill).empty());
  CHECK(node.mesh->status().holes.empty());
}

TEST_CASE("what somebody holds for this node is fetched as soon as it says so") {
  Late node;
  const SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Held{kLog.stream, {{kLog, 20}}});
  node.run(200ms);
  const auto asked = node.wants(node.origin, wire::WantKind::Backfill);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].from.seq == 21);
  CHECK(asked[0].owed == 21);
  node.say(node.origin, wire::LinkGap{asked[0].number, 21, 57, "retention"});
  node.say(node.origin, wire::Upto{asked[0].number, 20, 57});
  node.run(200ms);

  REQUIRE(node.wants(keeper, wire::WantKind::Repair).size() == 1);
  CHECK(node.wants(keeper, wire::WantKind::Repair)[0].from.seq == 21);
}

TEST_CASE("a filtered copy of a stream that is carried from now on is made whole") {
  LogRecord copy{.no = 1, .id = kLog, .head = 20, .whole_from = 0};
  copy.filters = {{"t/1", 1}};
  OneNode node({.carry = {"events"}}, {copy});
  const SessionId origin = node.greet("origin");
  node.say(origin, wire::State{{}, {record_of_origin(kLog)}});
  node.run(200ms);
  REQUIRE(node.said<wire::Want>(origin).size() == 1);
  node.say(origin, wire::Upto{node.said<wire::Want>(origin)[0].number, 20, 20});
  node.run(200ms);

  const auto asked = node.said<wire::Want>(origin);
  REQUIRE(asked.size() == 2);
  CHECK(asked[1].kind == wire::WantKind::Backfill);
  CHECK(asked[1].from.seq == 1);
  CHECK(asked[1].to == 20);
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
