// Of what an origin had trimmed before a reader came nothing was promised to that reader.

#include <doctest/doctest.h>

#include <utility>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};

// A durable reader from the beginning on, at a node that hears of a log from its origin.
struct LateReader : OneNode {
  explicit LateReader(const LogId& log, std::vector<LogRecord> logs = {},
                      std::map<std::uint32_t, std::uint64_t> cursors = {})
      : OneNode({}, std::move(logs)) {
    const FilterStart all{"#", {wire::Begin::At::Seq, 1, {}}};
    mesh->put_interest({1, "reader", true, {all}, std::move(cursors)}, now, out);
    origin = greet(log.origin);
    say(origin, wire::State{{}, {record_of_origin(log)}});
    run(1s);
  }
  void tell_gap(std::uint64_t want, std::uint64_t from, std::uint64_t to) {
    say(origin, wire::LinkGap{want, from, to, "retention"});
    say(origin, wire::Upto{want, from - 1, to});
  }
  // Of all that it was told to do the first write into a copy; the rest is forgotten.
  std::optional<WriteCopy> take_write() {
    for (Action& action : std::exchange(out, {})) {
      auto* const write = std::get_if<WriteCopy>(&action);
      if (write != nullptr) return std::move(*write);
    }
    return {};
  }

  SessionId origin = 0;
};

TEST_SUITE_BEGIN("mesh/late_reader");

TEST_CASE("a cursor at the beginning of a copy promises nothing") {
  const auto owed_after = [&](std::uint64_t cursor) {
    const LateReader node(kLog, {{.no = 1, .id = kLog, .head = cursor, .whole_from = 1}},
                          {{1, cursor}});
    return node.said<wire::Want>(node.origin).at(0).owed;
  };

  CHECK(owed_after(0) == 0);
  CHECK(owed_after(15) == 16);
}

TEST_CASE("a new reader does not wait for what a run had trimmed before the reader came") {
  const LogId newer{kLog.origin, "2-y", kLog.stream};
  const auto gaps = [&](bool follows) {
    std::map<std::uint32_t, std::uint64_t> cursors;
    if (follows) cursors[1] = 5;
    LateReader node(newer, {{.no = 1, .id = kLog, .head = 5, .whole_from = 1}}, cursors);
    node.mesh->move_cursor(1, 1, 5, node.now, node.out);
    std::uint64_t number = 0;
    for (const wire::Want& want : node.said<wire::Want>(node.origin)) {
      if (want.log == newer) number = want.number;
    }
    node.tell_gap(number, 1, 9);
    node.run(1s);
    return std::count_if(node.out.begin(), node.out.end(), [](const Action& action) {
      const auto* const write = std::get_if<WriteCopy>(&action);
      return write != nullptr && !write->write.gaps.empty();
    });
  };

  CHECK(gaps(false) == 1);
  CHECK(gaps(true) == 0);
}

// The reader is behind a first gap, which the backfill may be told goes on.
struct BehindGap : LateReader {
  BehindGap() : LateReader(kLog, {kCopy}), asked(said<wire::Want>(origin).back()) {
    out.clear();
    tell_gap(asked.number, 1, 19);
    const auto first = take_write();
    REQUIRE(first);
    REQUIRE(first->write.upto == 19);
    const BackfillRecord backfill{.from = 1, .to = 107, .upto = 19, .all = true};
    mesh->on_backfilled(kCopy, backfill, now, out);
    mesh->on_written(first->token, 1U, now, out);
    mesh->move_cursor(1, 1, 19, now, out);
    run(100ms);
    out.clear();
  }

  inline static const LogRecord kCopy{
      .no = 1, .id = kLog, .first = 108, .head = 107, .whole_from = 108};
  wire::Want asked;
};

TEST_CASE("a reader that comes late is told at once of a gap that is told in two parts") {
  BehindGap node;

  node.tell_gap(node.asked.number, 20, 40);

  const auto second = node.take_write();
  REQUIRE(second);
  CHECK(second->write.upto == 40);
}

TEST_CASE("nobody is asked to wait for what may be the rest of a gap") {
  BehindGap node;

  node.say(node.origin, wire::Stop{node.asked.number});
  node.run(2s);

  const auto wants = node.said<wire::Want>(node.origin);
  REQUIRE(!wants.empty());
  CHECK(wants.back().from.seq == 20);
  CHECK(wants.back().owed == 0);
}

// It is in the middle of what there was when it came, and of that nothing was promised.
TEST_CASE("a late reader is told at once of a gap that it comes to") {
  LateReader node(kLog);
  const wire::Want asked = node.said<wire::Want>(node.origin).back();
  REQUIRE(asked.owed == 0);

  node.say(node.origin, wire::Upto{asked.number, 0, 20});
  const auto first = node.take_write();
  REQUIRE(first);
  REQUIRE(first->write.upto == 20);
  node.mesh->on_copied({.no = 1, .id = kLog, .head = 20, .whole_from = 1}, node.now, node.out);
  node.mesh->on_written(first->token, 1U, node.now, node.out);
  node.mesh->move_cursor(1, 1, 20, node.now, node.out);
  node.run(100ms);
  node.tell_gap(asked.number, 21, 30);

  const auto second = node.take_write();
  REQUIRE(second);
  CHECK(second->write.upto == 30);
}

// It has asked somebody else meanwhile, who has none of it.
TEST_CASE("a late reader that asks again is owed no more of a gap than before") {
  LateReader node(kLog);
  const SessionId other = node.greet("other");
  node.say(other, wire::Have{{{kLog, 1, 30, {}}}});
  const wire::Want asked = node.said<wire::Want>(node.origin).back();
  REQUIRE(asked.owed == 0);

  node.say(node.origin, wire::LinkGap{asked.number, 12, 42, "retention"});
  node.say(node.origin, wire::Upto{asked.number, 0, 42});
  const wire::Want repair = node.said<wire::Want>(other).back();
  REQUIRE(repair.kind == wire::WantKind::Repair);
  const auto first = node.take_write();
  REQUIRE(first);
  REQUIRE(first->write.upto == 11);
  node.mesh->on_copied({.no = 1, .id = kLog, .head = 11, .whole_from = 1}, node.now, node.out);
  node.mesh->on_written(first->token, 1U, node.now, node.out);
  node.mesh->move_cursor(1, 1, 11, node.now, node.out);
  node.run(100ms);
  node.say(other, wire::Stop{repair.number});
  node.run(100ms);

  const wire::Want again = node.said<wire::Want>(node.origin).back();
  REQUIRE(again.from.seq == 12);
  CHECK(again.owed == 43);
  node.out.clear();
  node.say(node.origin, wire::LinkGap{again.number, 12, 42, "retention"});
  node.say(node.origin, wire::Upto{again.number, 11, 42});
  const auto second = node.take_write();
  REQUIRE(second);
  CHECK(second->write.upto == 42);
}

// This node wrote the log, and its retention took the first 15 before anybody asked for them.
TEST_CASE("an origin says of what it trimmed whether somebody may have it") {
  LogRecord own{.no = 1, .id = {"node", "1-x", "events"}, .open = true, .first = 16, .head = 22};
  OneNode node({}, {own});
  const auto reason_for = [&](const std::string& peer, std::uint64_t trimmed) {
    const SessionId session = node.greet(peer);
    node.out.clear();
    node.say(session, wire::Want{.number = 1, .log = own.id, .standing = true, .from = {.seq = 1}});
    const auto read = std::find_if(node.out.begin(), node.out.end(), [](const Action& action) {
      return std::holds_alternative<ReadEvents>(action);
    });
    REQUIRE(read != node.out.end());
    auto batch = std::make_unique<EventBatch>();
    UuidMaker ids;
    EventView event;
    event.topic = "t";
    for (std::uint64_t seq = trimmed + 1; seq <= own.head; ++seq) {
      event.position = Position(1, seq);
      batch->add(event, node.now.wall, ids);
    }
    ReadResult found{std::move(batch), own.head, {{1, 1, trimmed, "retention"}}, trimmed + 1};
    node.mesh->on_read(std::get<ReadEvents>(*read).token, std::move(found), node.now, node.out);
    node.tick();
    const auto gaps = node.said<wire::LinkGap>(session);
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].to == trimmed);
    return gaps[0].reason;
  };

  CHECK(reason_for("first", 15) == "unclaimed");
  CHECK(reason_for("second", 15) == "unclaimed");
  CHECK(reason_for("third", 20) == "retention");
}

// A peer asks for less, which is filled in first.
TEST_CASE("what a reader is owed below what is filled in for a peer is not acknowledged") {
  const LogId newer{kLog.origin, "2-y", kLog.stream};
  LateReader node(newer, {{.no = 1, .id = kLog, .head = 5, .whole_from = 1}}, {{1, 5}});
  node.mesh->move_cursor(1, 1, 5, node.now, node.out);
  const SessionId peer = node.greet("peer");
  node.say(peer, wire::State{});
  node.say(peer, wire::Want{.number = 1, .log = newer, .standing = true, .from = {.seq = 21}});
  node.run(1s);
  const auto wants = node.said<wire::Want>(node.origin);
  const auto main = std::find_if(wants.rbegin(), wants.rend(), [&](const wire::Want& want) {
    return want.log == newer && want.kind == wire::WantKind::Main;
  });
  REQUIRE(main != wants.rend());
  REQUIRE(main->from.seq == 1);

  node.tell_gap(main->number, 1, 36);
  node.run(1s);
  const wire::Want below = node.said<wire::Want>(node.origin).back();
  REQUIRE(below.kind == wire::WantKind::Backfill);
  REQUIRE(below.from.seq == 21);
  const auto write = node.take_write();
  REQUIRE(write);
  LogRecord copy{.no = 2, .id = newer, .head = write->write.upto};
  copy.whole_from = write->write.whole_from.value_or(0);
  CHECK(copy.whole_from == 37);
  node.mesh->on_copied(copy, node.now, node.out);
  node.mesh->on_written(write->token, 2U, node.now, node.out);
  node.run(1s);

  for (const wire::Ack& ack : node.said<wire::Ack>(node.origin)) {
    for (const wire::AckEntry& entry : ack.logs) {
      if (entry.log == newer) CHECK(entry.acked == 0);
    }
  }
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
