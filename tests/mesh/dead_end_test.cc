// How long somebody waits for what its origin has trimmed, and for whom.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;
using sim::World;

const LogId kLog{"origin", "1-x", "events"};

std::size_t holes(World& world, std::size_t node) {
  return world.node(node).mesh().status().holes.size();
}

// An origin, the keeper of its events, and a reader for whom they are kept; the reader is off, and
// will have links with both.
struct Kept {
  explicit Kept(std::uint64_t bytes_per_second)
      : world({.seed = 3, .stuck_max = 60s, .bytes_per_second = bytes_per_second}),
        origin(world.add_node({})),
        keeper(world.add_node({origin})),
        reader(world.add_node({keeper, origin})) {
    world.cut(reader, origin);
    world.node(reader).subscribe(1, {"#"});
    world.node(origin).publish("t/x");
    world.node(keeper).publish("alarm/x");
  }
  void comes_back(Duration off) {
    world.run_for(off);
    world.node(origin).trim_now(0s);
    world.run_for(2s);
    world.heal(reader, origin);
    world.start(reader);
    world.run_for(10min);
    CHECK(world.settle());
    CHECK(world.gaps.empty());
  }

  World world;
  std::size_t origin;
  std::size_t keeper;
  std::size_t reader;
};

// A durable reader's node, which has been told that 37..64 of the log have been trimmed.
struct Told : OneNode {
  Told() : OneNode({.stuck_max = 60s}, {{.no = 1, .id = kLog, .head = 36, .whole_from = 1}}) {
    mesh->put_interest({1, "reader", true, {{"#", {}}}, {{1, 36}}}, now, out);
    origin = greet("origin");
    say(origin, wire::State{{}, {record_of_origin(kLog, {{"node", 1}, {"keeper", 1}})}});
    keeper = greet("keeper");
    say(keeper, wire::State{{}, {record("keeper", 1, {{"node", 1}, {"origin", 1}})}});
    run(2s);
  }
  void tell_gap() {
    const wire::Want asked = said<wire::Want>(origin).back();
    out.clear();
    say(origin, wire::LinkGap{asked.number, 37, 64, "retention"});
    say(origin, wire::Upto{asked.number, 36, 64});
  }
  void live(Duration time) {
    for (const TimePoint end = now.steady + time; now.steady < end;) {
      say(origin, wire::Ping{});
      say(keeper, wire::Ping{});
      run(1s);
    }
  }
  std::string recorded() const {
    std::string reasons;
    for (const Action& action : out) {
      const auto* const write = std::get_if<WriteCopy>(&action);
      if (write == nullptr) continue;
      for (const Gap& gap : write->write.gaps) reasons += gap.reason;
    }
    return reasons;
  }

  SessionId origin = 0;
  SessionId keeper = 0;
};

TEST_SUITE_BEGIN("mesh/dead_end");

TEST_CASE("a holder that says nothing is given up when all have been here for long") {
  Told node;
  node.say(node.keeper, wire::Held{kLog.stream, {}});
  node.tell_gap();
  REQUIRE(node.said<wire::Want>(node.keeper).size() == 1);
  CHECK(node.mesh->status().holes.size() == 1);

  node.live(55s);
  CHECK(node.said<wire::Stop>(node.keeper).empty());
  node.live(10s);
  CHECK(node.said<wire::Stop>(node.keeper).size() == 1);
  node.tell_gap();

  CHECK(node.recorded() == "lost");
}

TEST_CASE("a holder that says that it has it is waited for") {
  Told node;
  node.say(node.keeper, wire::Have{{{kLog, 1, 64, {}}}});
  node.tell_gap();
  REQUIRE(node.said<wire::Want>(node.keeper).size() == 1);

  node.live(10min);

  CHECK(node.said<wire::Stop>(node.keeper).empty());
}

// Each of them begins behind it, and asks another.
TEST_CASE("a time that nobody can place is not looked for without end") {
  const LogId newer{kLog.origin, "2-y", kLog.stream};
  OneNode node({.stuck_max = 60s},
               {{.no = 1, .id = kLog, .first = 5, .head = 26, .whole_from = 5}});
  const SessionId keeper = node.greet("keeper");
  wire::MapRecord has = record("keeper", 1, {{"node", 1}, {"origin", 1}});
  has.copies = {{kLog, 1, 26}};
  node.say(keeper, wire::State{{}, {has, record_of_origin(newer, {{"keeper", 1}})}});
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::Want{.number = 1,
                            .log = kLog,
                            .kind = wire::WantKind::Backfill,
                            .from = {wire::Begin::At::Time, 0, node.now.wall},
                            .to = 26});
  const auto look = std::find_if(node.out.begin(), node.out.end(), [](const Action& action) {
    return std::holds_alternative<FindSeq>(action);
  });
  REQUIRE(look != node.out.end());
  node.mesh->on_time_found(std::get<FindSeq>(*look).token, 5U, node.now, node.out);
  const auto live = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += 1s) {
      node.run(1s);
      for (const SessionId session : {keeper, peer}) node.say(session, wire::Ping{});
    }
    return node.said<wire::Stop>(keeper).size();
  };
  REQUIRE(node.said<wire::Want>(keeper).size() == 1);

  CHECK(live(55s) == 0);
  CHECK(live(10s) == 1);
}

TEST_CASE("one who waits and has nobody to ask sleeps") {
  const std::vector<HoldRecord> holds = {{"peer", kLog.stream, {}, {{1, 36}}}};
  OneNode node({.stuck_max = 60s}, {{.no = 1, .id = kLog, .head = 36, .whole_from = 1}},
               {.backfills = {}, .holds = holds, .facts = {}});
  const SessionId origin = node.greet("origin");
  node.say(origin, wire::State{{}, {record_of_origin(kLog, {{"node", 1}, {"peer", 1}})}});
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::State{{}, {record("peer", 1, {{"node", 1}, {"origin", 1}})}});
  node.say(peer,
           wire::Want{.number = 1, .log = kLog, .standing = true, .from = {.seq = 37}, .owed = 37});
  node.run(200ms);
  const wire::Want asked = node.said<wire::Want>(origin).back();
  node.say(origin, wire::LinkGap{asked.number, 37, 64, "retention"});
  node.say(origin, wire::Upto{asked.number, 36, 64});
  node.run(200ms);
  REQUIRE(node.mesh->status().holes.size() == 1);
  node.mesh->on_session_down(origin, {Errc::Closed, "gone"}, node.now, node.out);

  for (int second = 0; second < 120; ++second) {
    node.say(peer, wire::Ping{});
    node.run(1s);
    for (int i = 0; i < 10; ++i) node.tick();
    CHECK(node.mesh->wake_at() > node.now.steady);
  }
}

TEST_CASE("a large event that is on its way is waited for") {
  Kept kept(4000);
  CHECK(kept.world.settle());
  kept.world.crash(kept.reader);

  kept.world.node(kept.origin).publish("t/x", 1, 500'000);
  kept.comes_back(300s);

  CHECK(kept.world.node(kept.reader).delivered(1).size() == 3);
}

TEST_CASE("a holder whose link is busy with what is urgent is waited for") {
  Kept kept(4000);
  World& world = kept.world;
  std::vector<std::size_t> urgent;
  for (int i = 0; i < 6; ++i) urgent.push_back(world.add_node({kept.keeper}));
  for (const std::size_t node : urgent) world.node(node).publish("alarm/x");
  CHECK(world.settle());
  world.crash(kept.reader);

  world.node(kept.origin).publish("t/x", 10);
  for (const std::size_t node : urgent) world.node(node).publish("alarm/x", 100, 2'000);
  kept.comes_back(200s);

  CHECK(world.node(kept.reader).delivered(1).size() == 618);
}

// The mule took them for the reader's holder, and only that one, started again, knows the mule.
TEST_CASE("whom a holder waits for is waited for by others") {
  World world({.seed = 4, .stuck_max = 60s});
  const std::size_t origin = world.add_node({});
  const std::size_t holder = world.add_node({origin});
  const std::size_t reader = world.add_node({holder, origin});
  world.cut(origin, holder);
  world.cut(origin, reader);
  world.node(reader).subscribe(1, {"#"});
  world.node(holder).publish("t/x");
  CHECK(world.settle());
  world.crash(reader);
  const std::size_t mule = world.add_node({origin, holder});
  world.run_for(5s);
  world.node(origin).publish("t/x");
  world.run_for(5s);
  world.cut(holder, mule);
  world.node(origin).publish("t/x", 10);
  world.run_for(5s);
  world.node(origin).trim_now(0s);
  world.run_for(5s);
  world.crash(mule);
  for (const std::size_t node : {origin, holder}) world.crash(node);
  for (const std::size_t node : {origin, holder}) world.start(node);
  world.heal_all();
  world.run_for(5s);

  world.start(reader);
  world.run_for(5min);
  CHECK(holes(world, reader) == 1);
  world.start(mule);
  CHECK(world.settle());

  CHECK(world.gaps.empty());
  CHECK(world.node(reader).delivered(1).size() == 12);
}

// The hub asks for all that there ever was, as for what was promised to it.
TEST_CASE("a hub that joins late waits for history while somebody who may have it is away") {
  World world({.seed = 21, .stuck_max = 20s});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"#"});
  world.node(b).publish("alarm/x");  // so that it is in the map
  world.node(a).publish("t/x", 10);
  CHECK(world.settle());
  world.node(a).trim_now(0s);
  world.node(b).trim_now(0s);

  const std::size_t hub = world.add_node({a}, {.carry = {"*"}});
  world.run_for(5s);
  CHECK(holes(world, hub) == 1);
  world.crash(b);
  world.run_for(60s);
  CHECK(holes(world, hub) == 1);
  for (const std::size_t node : {a, hub}) world.crash(node);
  for (const std::size_t node : {a, hub}) world.start(node);
  world.run_for(60s);
  CHECK(holes(world, hub) == 1);
  world.start(b);
  world.run_for(60s);

  CHECK(holes(world, hub) == 0);
  world.node(a).publish("t/x", 5);
  CHECK(world.settle());
  CHECK(world.node(b).delivered(1).size() == 16);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
