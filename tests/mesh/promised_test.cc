// What a node answers for on behalf of those who are away: what is here, or held for it by others.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};

// A node that has the stream for another, which is away or to be had by carrying, hears of a log
// from its origin, which has trimmed the first 57.
struct Late : OneNode {
  explicit Late(MeshOptions options, std::vector<HoldRecord> holds)
      : OneNode(std::move(options), {}, {.backfills = {}, .holds = std::move(holds), .facts = {}}),
        origin(greet("origin")) {
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

std::vector<HoldRecord> held_for_peer() { return {{"peer", kLog.stream, {}, {}}}; }

TEST_SUITE_BEGIN("mesh/promised");

TEST_CASE("what was trimmed before a log was heard of is not waited for") {
  Late holds({}, held_for_peer());
  Late carries({.carry = {"events"}}, {});

  for (const Late* const node : {&holds, &carries}) {
    CHECK(node->wants(node->origin, wire::WantKind::Backfill).empty());
    CHECK(node->mesh->status().holes.empty());
  }
}

TEST_CASE("what somebody holds for this node is fetched as soon as it says so") {
  Late holds({}, held_for_peer());
  Late carries({.carry = {"events"}}, {});

  for (Late* const node : {&holds, &carries}) {
    const SessionId keeper = node->greet("keeper");
    node->say(keeper, wire::Held{kLog.stream, {{kLog, 20}}});
    node->run(200ms);
    const auto asked = node->wants(node->origin, wire::WantKind::Backfill);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].from.seq == 21);
    CHECK(asked[0].owed == 21);
    node->say(node->origin, wire::LinkGap{asked[0].number, 21, 57, "retention"});
    node->say(node->origin, wire::Upto{asked[0].number, 20, 57});
    node->run(200ms);

    REQUIRE(node->wants(keeper, wire::WantKind::Repair).size() == 1);
    CHECK(node->wants(keeper, wire::WantKind::Repair)[0].from.seq == 21);
  }
}

TEST_CASE("a peer that comes back is told what is held for it that is here, or held elsewhere") {
  const auto told = [&](Late& node) {
    std::vector<wire::HeldEntry> all;
    for (const auto& held : node.said<wire::Held>(node.greet("peer"))) {
      for (const wire::HeldEntry& entry : held.logs) all.push_back(entry);
    }
    return all;
  };
  Late alone({}, held_for_peer());
  CHECK(told(alone).empty());

  Late other({}, held_for_peer());
  other.say(other.greet("keeper"), wire::Held{kLog.stream, {{kLog, 0}}});
  REQUIRE(told(other).size() == 1);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
