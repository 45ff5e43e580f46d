// Backfills that follow one another.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

namespace {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("mesh/backfill");

TEST_CASE("a backfill begins anew while the end of the last one is being written") {
  World world({.seed = 3, .latency_max = 200ms, .commit_max = 100ms});
  const std::size_t a = world.add_node({});
  const std::size_t b = world.add_node({a});
  world.node(b).subscribe(1, {"t/1"});
  world.run_for(2s);
  for (int i = 0; i < 40; ++i) {
    world.node(a).publish("t/" + std::to_string(i % 4), 5);
    if (i == 30) world.run_for(2s);
  }
  CHECK(world.settle());

  world.cut(a, b);
  world.node(b).listen(3, {"t/3"});
  world.node(b).subscribe(2, {"t/2"});
  world.run_for(100ms);
  world.node(a).publish("t/3", 5);
  world.run_for(1s);
  world.heal(a, b);

  CHECK(world.settle());
  CHECK(world.failure() == "");
  CHECK(world.node(b).delivered(2).size() == 50);
}

TEST_CASE("a reader for whom nothing is filled in does not read what is filled in for another") {
  const LogId id{"origin", "1-x", "events"};
  LogRecord copy{.no = 1, .id = id, .head = 30, .whole_from = 0};
  copy.filters = {{"t/1", 17}, {"t/2", 17}};
  const BackfillRecord backfill{.from = 1, .to = 16, .upto = 15, .all = false, .filters = {"t/1"}};
  mesh::OneNode node({}, {copy}, {.backfills = {{1, backfill}}, .holds = {}, .facts = {}});
  const auto reads = [&](std::uint64_t reader, const std::string& filter) {
    mesh::FilterStart start{filter, {wire::Begin::At::Seq, 1, {}}};
    node.mesh->put_interest({reader, filter, true, {start}, {}}, node.now, node.out);
    node.run(1s);
    return std::any_of(node.out.begin(), node.out.end(), [&](const mesh::Action& action) {
      const auto* const told = std::get_if<mesh::Readable>(&action);
      return told != nullptr && told->interest == reader;
    });
  };

  CHECK(reads(1, "t/1"));
  CHECK_FALSE(reads(2, "t/2"));
}

TEST_CASE("what has gone of a backfill meanwhile is not there, and is asked for again") {
  for (const bool before_start : {false, true}) {
    CAPTURE(before_start);
    LogRecord copy{.no = 1, .id = {"origin", "1-x", "events"}, .head = 30, .whole_from = 17};
    if (before_start) copy.first = 5;
    const BackfillRecord backfill{.from = 1, .to = 16, .upto = 8};
    const std::vector<HoldRecord> holds = {{"peer", copy.id.stream, {}, {{1, 0}}}};
    mesh::OneNode node({}, {copy}, {.backfills = {{1, backfill}}, .holds = holds, .facts = {}});
    const mesh::SessionId origin = node.greet("origin");
    node.say(origin, wire::State{{}, {mesh::record_of_origin(copy.id)}});
    const wire::Want asked = node.said<wire::Want>(origin).back();
    REQUIRE(asked.kind == wire::WantKind::Backfill);
    REQUIRE(asked.from.seq == 9);

    if (!before_start) node.mesh->on_trimmed(1, 5, node.now, node.out);
    node.mesh->put_interest({1, "#", true, {{"#", {wire::Begin::At::Seq, 1, {}}}}, {}}, node.now,
                            node.out);
    node.say(origin, wire::Upto{asked.number, 8, 16});

    std::optional<std::uint64_t> whole_from;
    for (const mesh::Action& action : node.out) {
      CHECK_FALSE(std::holds_alternative<mesh::Readable>(action));
      if (const auto* const write = std::get_if<mesh::WriteCopy>(&action)) {
        whole_from = write->write.whole_from;
      }
    }
    CHECK(whole_from == std::optional<std::uint64_t>(5));
    const wire::Want again = node.said<wire::Want>(origin).back();
    CHECK(again.kind == wire::WantKind::Backfill);
    CHECK(again.from.seq == 1);
    CHECK(again.to == 4);
  }
}

// The store's first event is a low one again with the first part of what is filled in.
TEST_CASE("what has gone of a filtered copy is filled in to its end for a reader that is new") {
  LogRecord copy{.no = 1, .id = {"origin", "1-x", "events"}, .head = 66, .whole_from = 0};
  copy.filters = {{"t/1", 1}};
  mesh::OneNode node({}, {copy});
  const auto put = [&](std::uint64_t id, std::map<std::uint32_t, std::uint64_t> cursors) {
    node.mesh->put_interest({id,
                             std::to_string(id),
                             true,
                             {{"t/1", {wire::Begin::At::Seq, 1, {}}}},
                             std::move(cursors)},
                            node.now, node.out);
  };
  put(1, {{1, 66}});
  const mesh::SessionId origin = node.greet("origin");
  node.say(origin, wire::State{{}, {mesh::record_of_origin(copy.id)}});
  node.run(1s);
  node.mesh->on_trimmed(1, 28, node.now, node.out);
  put(2, {});
  node.run(1s);
  const wire::Want asked = node.said<wire::Want>(origin).back();
  REQUIRE(asked.kind == wire::WantKind::Backfill);
  REQUIRE(asked.to == 27);

  node.say(origin, wire::Upto{asked.number, 0, 10});
  node.say(origin, wire::Upto{asked.number, 10, 13});
  copy.first = 1;
  copy.filters = {{"t/1", 28}};
  node.mesh->on_backfilled(copy, BackfillRecord{1, 27, 10, false, {"t/1"}}, node.now, node.out);
  node.run(1s);

  CHECK(node.said<wire::Stop>(origin).empty());
}

TEST_CASE("a filtered copy of a closed log is made whole for who asks for it from a time on") {
  const LogId id{"origin", "1-x", "events"};
  LogRecord copy{.no = 1, .id = id, .head = 26, .whole_from = 0};
  copy.filters = {{"t/1", 1}};
  mesh::OneNode node({}, {copy});
  node.mesh->put_interest({1, "t/1", true, {{"t/1", {}}}, {{1, 26}}}, node.now, node.out);
  const mesh::SessionId keeper = node.greet("keeper");
  wire::MapRecord has = mesh::record("keeper", 1, {{"node", 1}, {"origin", 1}});
  has.copies = {{id, 1, 26}};
  const LogId newer{"origin", "2-y", "events"};
  node.say(keeper, wire::State{{}, {has, mesh::record_of_origin(newer, {{"keeper", 1}})}});
  const mesh::SessionId peer = node.greet("peer");
  node.say(peer, wire::Want{.number = 1,
                            .log = id,
                            .kind = wire::WantKind::Backfill,
                            .from = {wire::Begin::At::Time, 0, node.now.wall},
                            .to = 1});
  node.run(1s);

  const auto wants = node.said<wire::Want>(keeper);
  const auto asked = std::find_if(wants.begin(), wants.end(), [&](const wire::Want& want) {
    return want.log == id && want.kind == wire::WantKind::Backfill;
  });
  REQUIRE(asked != wants.end());
  CHECK(asked->all);
  CHECK(asked->from.at == wire::Begin::At::Time);
  CHECK(asked->to == 26);
}

// The answer that comes may be a gap, and the reader would wait for what was never promised to it.
TEST_CASE("a reader begins with the first of what is filled in for it") {
  const LogId id{"origin", "1-x", "events"};
  const LogRecord copy{.no = 1, .id = id, .head = 30, .whole_from = 17};
  BackfillRecord backfill{.from = 1, .to = 16, .upto = 0};
  mesh::OneNode node({}, {copy}, {.backfills = {{1, backfill}}, .holds = {}, .facts = {}});
  node.mesh->put_interest({1, "#", true, {{"#", {wire::Begin::At::Seq, 1, {}}}}, {}}, node.now,
                          node.out);
  const auto told = [&] {
    node.run(1s);
    std::vector<mesh::Readable> all;
    for (const mesh::Action& action : node.out) {
      if (const auto* const one = std::get_if<mesh::Readable>(&action)) all.push_back(*one);
    }
    return all;
  };
  CHECK(told().empty());

  backfill.upto = 4;
  node.mesh->on_backfilled(copy, backfill, node.now, node.out);

  REQUIRE(told().size() == 1);
  CHECK(told()[0].after == 0);
  CHECK(told()[0].upto == 4);
}

// Else it would be filled in further for that peer, whom nothing more is owed.
TEST_CASE("what a peer asked for is over with its end, where no more is filled in yet") {
  const LogId id{"origin", "1-x", "events"};
  const LogRecord copy{.no = 1, .id = id, .head = 30, .whole_from = 25};
  const BackfillRecord backfill{.from = 1, .to = 24, .upto = 4, .all = true, .filters = {}};
  mesh::OneNode node({}, {copy});
  const mesh::SessionId peer = node.greet("peer");
  node.say(
      peer,
      wire::Want{
          .number = 1, .log = id, .kind = wire::WantKind::Backfill, .from = {.seq = 1}, .to = 4});
  node.mesh->on_backfilled(copy, backfill, node.now, node.out);
  node.tick();
  const auto read = std::find_if(node.out.begin(), node.out.end(), [](const auto& action) {
    return std::holds_alternative<mesh::ReadEvents>(action);
  });
  REQUIRE(read != node.out.end());

  node.mesh->on_read(std::get<mesh::ReadEvents>(*read).token,
                     ReadResult{std::make_unique<EventBatch>(), 4, {}, 1}, node.now, node.out);
  node.run(1s);

  REQUIRE_FALSE(node.said<wire::Upto>(peer).empty());
  CHECK(node.said<wire::Upto>(peer).back().upto == 4);
}

// The map may know nothing of it: whoever has it names more logs than fit into a record.
TEST_CASE("a log that is heard of with HAVE first is asked for") {
  mesh::OneNode node;
  node.mesh->put_interest({1, "#", true, {{"#", {wire::Begin::At::Seq, 1, {}}}}, {}}, node.now,
                          node.out);
  const mesh::SessionId peer = node.greet("peer");
  node.run(1s);

  node.say(peer, wire::Have{{{{"origin", "1-x", "events"}, 1, 5, {}}}});
  node.run(1s);

  CHECK(node.said<wire::Want>(peer).size() == 1);
}

TEST_CASE("a reader does not begin with a newer run while more of an older one is to come") {
  const LogId older{"origin", "1-x", "events"};
  const LogId newer{"origin", "2-y", "events"};
  mesh::OneNode node({}, {{.no = 1, .id = older, .first = 11, .head = 10, .whole_from = 11}});
  const mesh::SessionId peer = node.greet("peer");
  wire::MapRecord origin = mesh::record("origin", 1, {{"peer", 1}});
  origin.open = {{newer.epoch, newer.stream, {}, Durability::Fsync, Priority::Normal}};
  wire::MapRecord has = mesh::record("peer", 1, {{"node", 1}, {"origin", 1}});
  has.copies = {{older, 1, 20}};
  node.say(peer, wire::State{{}, {origin, has}});
  node.mesh->on_copied({.no = 2, .id = newer, .head = 5, .whole_from = 1}, node.now, node.out);
  node.mesh->put_interest({1, "#", true, {{"#", {wire::Begin::At::Head, 0, {}}}}, {}}, node.now,
                          node.out);
  const auto told = [&] {
    node.run(1s);
    std::vector<std::uint32_t> logs;
    for (const mesh::Action& action : node.out) {
      if (const auto* const one = std::get_if<mesh::Readable>(&action)) logs.push_back(one->log);
    }
    return logs;
  };
  CHECK(told().empty());

  node.mesh->on_copied({.no = 1, .id = older, .first = 11, .head = 12, .whole_from = 11}, node.now,
                       node.out);
  CHECK(told() == std::vector<std::uint32_t>{1, 2});
}

// Who answers holds it from the beginning of the log, and did so until the next event.
TEST_CASE("what is filled in from a time on in one answer is acknowledged") {
  const LogId id{"origin", "1-x", "events"};
  LogRecord copy{.no = 1, .id = id, .first = 10, .head = 20, .whole_from = 10};
  mesh::OneNode node({}, {copy});
  const mesh::SessionId peer = node.greet("origin");
  node.say(peer, wire::State{{}, {mesh::record_of_origin(id)}});
  const wire::Begin since{wire::Begin::At::Time, 0, node.now.wall - 1h};
  node.mesh->put_interest({1, "#", true, {{"#", {wire::Begin::At::Seq, 10, {}}}}, {}}, node.now,
                          node.out);
  node.run(1s);
  node.say(peer, wire::Upto{node.said<wire::Want>(peer).back().number, 20, 20});
  node.mesh->put_interest({2, "#", true, {{"#", since}}, {}}, node.now, node.out);
  node.run(1s);
  const wire::Want asked = node.said<wire::Want>(peer).back();
  REQUIRE(asked.kind == wire::WantKind::Backfill);
  node.out.clear();

  node.say(peer, wire::Upto{asked.number, 3, 9});
  const auto* const write = std::get_if<mesh::WriteCopy>(&node.out.front());
  REQUIRE(write != nullptr);
  copy.first = copy.whole_from = 4;
  const mesh::Token token = write->token;
  node.mesh->on_backfilled(copy, {}, node.now, node.out);
  node.mesh->on_written(token, 1U, node.now, node.out);
  node.run(1s);

  const auto acks = node.said<wire::Ack>(peer);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].logs[0].acked == 20);
}

TEST_CASE("what the last backfill brought is not acknowledged for the next one") {
  const LogId id{"origin", "1-x", "events"};
  const LogRecord copy{.no = 1, .id = id, .first = 80, .head = 100, .whole_from = 80};
  BackfillRecord last{.from = 50, .to = 79, .upto = 60, .all = true};
  mesh::OneNode node({}, {copy}, {.backfills = {{1, last}}, .holds = {}, .facts = {}});
  const auto read_from = [&](std::uint64_t reader, std::uint64_t seq) {
    node.mesh->put_interest({reader, "#", true, {{"#", {wire::Begin::At::Seq, seq, {}}}}, {}},
                            node.now, node.out);
  };
  read_from(1, 50);
  const mesh::SessionId peer = node.greet("origin");
  node.say(peer, wire::State{{}, {mesh::record_of_origin(id)}});
  node.run(1s);
  const wire::Want asked = node.said<wire::Want>(peer).back();
  REQUIRE(asked.from.seq == 61);
  read_from(2, 1);
  node.run(1s);
  node.out.clear();
  node.say(peer, wire::Upto{asked.number, 60, 70});
  node.say(peer, wire::Upto{asked.number, 70, 79});
  const auto* const write = std::get_if<mesh::WriteCopy>(&node.out.front());
  REQUIRE(write != nullptr);
  const mesh::Token token = write->token;
  node.run(100ms);
  REQUIRE(node.said<wire::Want>(peer).back().from.seq == 1);

  last.upto = 70;
  node.mesh->on_backfilled(copy, last, node.now, node.out);
  node.mesh->on_written(token, 1U, node.now, node.out);
  node.run(1s);

  for (const wire::Ack& ack : node.said<wire::Ack>(peer)) CHECK(ack.logs[0].acked == 0);
}

// "near" is on the way to the origin and does not answer; "keeper" has the copy's beginning, but
// not what comes next.
TEST_CASE("the beginning is asked of who has it while the upstream has nothing to say") {
  const LogId id{"origin", "1-x", "events"};
  LogRecord copy{.no = 1, .id = id, .head = 22, .whole_from = 0};
  copy.filters = {{"t/1", 1}};
  mesh::OneNode node({}, {copy});
  const wire::MapRecord origin = mesh::record_of_origin(id, {{"near", 1}, {"keeper", 90}});
  const mesh::SessionId near = node.greet("near");
  const mesh::SessionId keeper = node.greet("keeper");
  node.say(near, wire::State{{},
                             {origin, mesh::record("near", 1, {{"node", 1}, {"origin", 1}}),
                              mesh::record("keeper", 1, {{"node", 1}, {"origin", 90}})}});
  node.say(keeper, wire::Have{{{id, 1, 22, {}}}});
  const mesh::SessionId asker = node.greet("asker");
  node.say(asker, wire::Want{.number = 1,
                             .log = id,
                             .standing = true,
                             .all = true,
                             .from = {wire::Begin::At::Seq, 1, {}},
                             .owed = 1});

  const auto asked_below = [&] {
    const auto wants = node.said<wire::Want>(keeper);
    return std::any_of(wants.begin(), wants.end(), [](const wire::Want& want) {
      return want.kind == wire::WantKind::Backfill && want.all && want.from.seq == 1;
    });
  };
  std::size_t stopped = 0;
  for (int i = 0; i < 20 && !asked_below(); ++i) {
    node.run(500ms);
    const auto wants = node.said<wire::Want>(keeper);
    for (; stopped < wants.size(); ++stopped) {
      if (wants[stopped].from.seq > 22) node.say(keeper, wire::Stop{wants[stopped].number});
    }
  }

  CHECK(asked_below());
}

TEST_CASE("what was asked for a filtered copy is not taken into what has become whole") {
  const LogId log{"origin", "1-x", "events"};
  mesh::OneNode node({},
                     {{.no = 1, .id = log, .head = 6, .whole_from = 0, .filters = {{"t/1", 1}}}});
  node.mesh->put_interest({1, "reader", true, {{"t/1", {}}}, {{1, 6}}}, node.now, node.out);
  const mesh::SessionId origin = node.greet("origin");
  node.say(origin, wire::State{{}, {mesh::record_of_origin(log)}});
  const mesh::SessionId keeper = node.greet("keeper");
  node.say(keeper, wire::Have{{{log, 7, 17, {}}}});
  const mesh::SessionId asker = node.greet("asker");
  node.say(asker, wire::Want{.number = 1, .log = log, .standing = true, .from = {.seq = 2}});
  node.run(2s);
  const auto repairs = node.said<wire::Want>(keeper);
  REQUIRE(!repairs.empty());
  REQUIRE(repairs.back().kind == wire::WantKind::Repair);
  REQUIRE_FALSE(repairs.back().all);
  node.run(5s);
  const wire::Want behind = node.said<wire::Want>(origin).back();
  REQUIRE(behind.kind == wire::WantKind::Backfill);
  REQUIRE(behind.all);

  node.say(origin, wire::Upto{behind.number, 1, 6});

  const auto stops = node.said<wire::Stop>(keeper);
  CHECK(std::any_of(stops.begin(), stops.end(),
                    [&](const wire::Stop& stop) { return stop.want == repairs.back().number; }));
}

// The origin waits for what this node asks others for; nobody but the origin can say that the rest
// is lost.
TEST_CASE("what an origin whose disk went back needs goes before what is asked of it") {
  const LogId log{"origin", "1-x", "events"};
  mesh::OneNode node({},
                     {{.no = 1, .id = log, .head = 62, .whole_from = 0, .filters = {{"t/1", 1}}}});
  const mesh::SessionId origin = node.greet("origin");
  node.say(origin, wire::State{{}, {mesh::record("origin", 1, {{"node", 1}})}});
  const mesh::SessionId keeper = node.greet("keeper");
  wire::MapRecord has = mesh::record("keeper", 1, {{"node", 1}});
  has.copies = {{log, 21, 40}};
  node.say(keeper, wire::State{{}, {has}});
  const mesh::SessionId asker = node.greet("asker");
  node.say(asker, wire::Want{.number = 1, .log = log, .standing = true, .from = {.seq = 41}});
  node.run(1s);
  REQUIRE(!node.said<wire::Want>(origin).empty());
  const wire::Want first = node.said<wire::Want>(origin).back();
  REQUIRE(first.kind == wire::WantKind::Backfill);
  REQUIRE(first.from.seq == 41);

  node.say(origin, wire::Want{.number = 1, .log = log, .standing = true, .from = {.seq = 21}});
  node.run(1s);

  REQUIRE(!node.said<wire::Want>(keeper).empty());
  const wire::Want below = node.said<wire::Want>(keeper).back();
  CHECK(below.kind == wire::WantKind::Backfill);
  CHECK(below.from.seq == 21);
  CHECK(below.to == 62);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
