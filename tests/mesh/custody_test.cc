#include "core/mesh/custody.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

constexpr Duration kDay = 24h;
constexpr WallTime kToday{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)};
constexpr WallTime kUnset{5s};  // of a clock that nobody has set

// A node that runs for a while: its logs, its custody, what that stored.
struct Run {
  explicit Run(Custody::Options options = {}) : custody(options, logs) {
    bool is_new = false;
    log = logs.add({"origin", "1-x", "events"}, false, is_new);
    logs.set_record(*log, {.no = 7, .id = log->id});
  }

  void flush(Now now) {
    Actions out;
    const auto heard = [&](const std::string&) { return now.steady; };
    custody.flush(now, {heard, [](const Log&) { return true; }}, out);
    for (Action& action : out) {
      if (auto* const put = std::get_if<PutHold>(&action)) {
        std::erase_if(stored, [&](const HoldRecord& hold) {
          return hold.peer == put->hold.peer && hold.stream == put->hold.stream;
        });
        stored.push_back(std::move(put->hold));
      } else if (const auto* const gone = std::get_if<RemoveHold>(&action)) {
        std::erase_if(stored, [&](const HoldRecord& hold) {
          return hold.peer == gone->peer && hold.stream == gone->stream;
        });
      }
    }
  }
  // The clocks go on for `time`, an hour at a time.
  void run(Now& now, Duration time) {
    for (Duration passed{}; passed < time; passed += 1h) {
      now.steady += 1h;
      now.wall += 1h;
      flush(now);
    }
  }
  void want() { REQUIRE(custody.on_standing_want("peer", *log, 1)); }

  Logs logs{100};
  Log* log;
  Custody custody;
  std::vector<HoldRecord> stored;
};

// What a peer that went away at `contact` left.
std::vector<HoldRecord> left(WallTime contact) { return {{"peer", "events", contact, {{7, 3}}}}; }

TEST_SUITE_BEGIN("mesh/custody");

TEST_CASE("a hold that could not be written, or removed, is written or removed again") {
  Now now{TimePoint(1h), kToday};
  Run node;
  node.want();
  node.flush(now);
  node.stored.clear();  // it failed
  node.custody.on_not_saved("peer", "events", now.steady);
  CHECK(node.custody.wake_at() == now.steady + 1s);

  now.steady += 500ms;
  node.flush(now);
  CHECK(node.stored.empty());
  now.steady += 500ms;
  node.flush(now);
  CHECK(node.stored.size() == 1);

  node.custody.on_release("peer", {"events", {}});
  const auto kept = node.stored;
  node.flush(now);
  node.stored = kept;  // the removal failed
  node.custody.on_not_saved("peer", "events", now.steady);
  now.steady += 1s;
  node.flush(now);
  CHECK(node.stored.empty());
  CHECK_FALSE(node.custody.wake_at());
}

TEST_CASE("a hold that follows one which could not be removed lets go what that one held") {
  Now now{TimePoint(1h), kToday};
  Run node;
  node.want();
  node.flush(now);
  bool is_new = false;
  Log* const other = node.logs.add({"other", "1-x", "events"}, false, is_new);
  node.logs.set_record(*other, {.no = 8, .id = other->id});

  node.custody.on_release("peer", {"events", {}});
  REQUIRE(node.custody.on_standing_want("peer", *other, 1));
  node.flush(now);
  REQUIRE(node.stored.size() == 1);
  CHECK(node.stored[0].acked == std::map<std::uint32_t, std::uint64_t>{{8, 0}});

  node.custody.on_not_saved("peer", "events", now.steady);
  now.steady += 1s;
  node.flush(now);
  CHECK(node.stored[0].acked ==
        std::map<std::uint32_t, std::uint64_t>{{7, HoldRecord::kReleased}, {8, 0}});
}

TEST_CASE("a hold outlives a clock that is not set at the start, and then is") {
  Now now{TimePoint(1h), kUnset};
  Run node({.clock_suspect = true});
  node.custody.load(left(kToday - kDay), now);
  node.stored = left(kToday - kDay);
  node.run(now, 2h);

  now.wall = kToday;
  node.run(now, 3h);
  CHECK(node.stored.size() == 1);

  node.run(now, 31 * kDay);
  CHECK(node.stored.empty());
}

TEST_CASE("a peer that was lost before the clock was set has been away since then") {
  Now now{TimePoint(1h), kUnset};
  Run node({.clock_suspect = true});
  node.custody.load({}, now);
  node.custody.on_peer_up("peer", now.steady);
  node.want();
  node.flush(now);
  node.custody.on_peer_down("peer", now);
  node.run(now, 2h);

  now.wall = kToday;
  node.flush(now);

  REQUIRE(node.stored.size() == 1);
  CHECK(node.stored[0].contact == kToday - 2h);
}

TEST_CASE("a time that was stored by a clock that was not set is no age") {
  Now now{TimePoint(1h), kToday};
  Run node;
  node.custody.load(left(kUnset), now);
  node.stored = left(kUnset);

  node.run(now, 29 * kDay);
  CHECK(node.stored.size() == 1);
  node.run(now, 2 * kDay);
  CHECK(node.stored.empty());
}

TEST_CASE("a clock that jumps ahead and back ends no hold") {
  Now now{TimePoint(1h), kToday};
  Run node;
  node.custody.load({}, now);
  node.custody.on_peer_up("peer", now.steady);
  node.want();
  node.flush(now);
  node.custody.on_peer_down("peer", now);
  node.run(now, 1h);

  now.wall += 1000 * kDay;
  node.run(now, 1h);
  now.wall -= 1000 * kDay;
  node.run(now, 1h);

  REQUIRE(node.stored.size() == 1);
  CHECK(node.stored[0].contact == kToday);
}

TEST_CASE("a peer that was here all the time was in contact, also where nothing happened") {
  Now now{TimePoint(1h), kToday};
  Run before;
  before.custody.load({}, now);
  before.custody.on_peer_up("peer", now.steady);
  before.want();
  before.run(now, 40 * kDay);
  REQUIRE(before.stored.size() == 1);
  CHECK(now.wall - before.stored[0].contact <= kDay);

  Run after;
  after.custody.load(before.stored, now);
  after.stored = before.stored;
  after.run(now, 2 * kDay);

  CHECK(after.stored.size() == 1);
}

TEST_CASE("a peer that is away for long is let go, over restarts too") {
  Now now{TimePoint(1h), kToday};
  Run before;
  before.custody.load({}, now);
  before.custody.on_peer_up("peer", now.steady);
  before.want();
  before.flush(now);
  before.custody.on_peer_down("peer", now);
  before.run(now, 20 * kDay);
  REQUIRE(before.stored.size() == 1);

  Run after;
  after.custody.load(before.stored, now);
  after.stored = before.stored;
  after.run(now, 9 * kDay);
  CHECK(after.stored.size() == 1);
  after.run(now, kDay);
  CHECK(after.stored.empty());
}

TEST_CASE("a node that was off for long gives its peers time to come back") {
  Now now{TimePoint(1h), kToday};
  Run node;
  node.custody.load(left(kToday - 100 * kDay), now);
  node.stored = left(kToday - 100 * kDay);

  node.flush(now);
  CHECK(node.stored.size() == 1);
  node.run(now, 1h);
  CHECK(node.stored.empty());
}

// A peer is here, for which the stream is held, and a log of it is new.
struct NewLog : Run {
  NewLog() {
    want();
    custody.on_peer_up("peer", now.steady);
    bool is_new = false;
    fresh = logs.add({"origin", "2-x", "events"}, false, is_new);
    custody.on_new_log(*fresh, now.steady);
  }
  void pass(Duration time) {
    now.steady += time;
    Actions out;
    const auto heard_of = [&](const std::string&) { return heard; };
    custody.flush(now, {heard_of, [&](const Log&) { return reachable; }}, out);
  }
  Need need() const {
    Need need;
    custody.add_to(need, *fresh);
    return need;
  }

  Now now{TimePoint(1h), kToday};
  TimePoint heard = now.steady - 1s;  // something from the peer
  bool reachable = true;              // somebody who has the log
  Log* fresh;
};

TEST_CASE("a new log is asked for when the peer that it is held for says nothing") {
  NewLog node;
  node.pass(5s);
  CHECK(node.need().keep);
  CHECK_FALSE(node.need().wanted);

  node.pass(1s);
  CHECK(node.need().wanted);
  CHECK(node.need().owed_from() == std::optional<std::uint64_t>(1));

  node.heard = node.now.steady;  // it had not gone, and may not have heard of the log yet
  node.pass(5s);
  CHECK(node.need().wanted);
  node.heard = node.now.steady;
  node.pass(1s);
  CHECK_FALSE(node.need().wanted);
  CHECK_FALSE(node.need().keep);
}

TEST_CASE("what is held is asked for when a session came up and its peer says nothing") {
  NewLog node;
  const auto need = [&] {
    Need held;
    node.custody.add_to(held, *node.log);
    return held;
  };
  node.pass(5s);
  CHECK(need().keep);
  CHECK_FALSE(need().wanted);

  node.pass(1s);
  CHECK(need().wanted);

  node.heard = node.now.steady;
  node.pass(1s);
  CHECK(need().keep);
  CHECK_FALSE(need().wanted);
}

TEST_CASE("what a peer asks for no more is owed to it until it may have asked another") {
  NewLog node;
  const auto owed = [&] {
    Need held;
    node.custody.add_to(held, *node.log);
    CHECK(held.keep);
    CHECK_FALSE(held.wanted);
    return held.owed_from();
  };
  node.heard = node.now.steady + 1h;
  node.pass(6s);
  CHECK_FALSE(owed());

  node.custody.on_stop("peer", *node.log, node.now.steady);
  node.custody.on_stop("stranger", *node.log, node.now.steady);
  CHECK(owed() == std::optional<std::uint64_t>(1));
  node.pass(5s);
  CHECK(owed());
  node.pass(1s);
  CHECK_FALSE(owed());
}

TEST_CASE("what nobody can be asked for is owed until a while after somebody can") {
  for (const bool stops : {false, true}) {
    CAPTURE(stops);
    NewLog node;
    const auto owed = [&] {
      Need held;
      node.custody.add_to(held, *node.fresh);
      return held.owed_from();
    };
    node.heard = node.now.steady + 1h;
    if (stops) node.pass(7s);
    node.reachable = false;
    if (stops) node.custody.on_stop("peer", *node.fresh, node.now.steady);

    node.pass(60s);
    CHECK(owed());
    node.reachable = true;
    node.pass(5s);
    CHECK(owed());
    node.pass(8s);
    CHECK_FALSE(owed());
  }
}

TEST_CASE("what a peer does not ask for is owed to it while it says nothing") {
  NewLog node;
  const auto owed = [&](const Log& log) {
    Need held;
    node.custody.add_to(held, log);
    return held.owed_from().has_value();
  };
  CHECK(node.custody.on_standing_want("peer", *node.fresh, 1));
  node.heard = node.now.steady + 7s;
  node.pass(7s);
  node.custody.on_stop("peer", *node.fresh, node.now.steady);
  node.heard = node.now.steady + 6s;
  node.pass(6s);
  CHECK_FALSE(owed(*node.fresh));

  node.pass(6s);
  CHECK(owed(*node.fresh));
  CHECK_FALSE(owed(*node.log));  // that it asks for
  node.heard = node.now.steady;
  node.pass(1s);
  CHECK_FALSE(owed(*node.fresh));
}

TEST_CASE("a new log is held for a peer that is here as long as nobody can be asked for it") {
  NewLog node;
  node.reachable = false;
  node.heard = node.now.steady + 1h;
  for (int i = 0; i < 60; ++i) node.pass(1s);
  CHECK(node.need().keep);
  CHECK_FALSE(node.need().wanted);

  node.reachable = true;
  node.pass(9s);
  CHECK(node.need().keep);
  node.pass(1s);
  CHECK_FALSE(node.need().keep);
}

TEST_CASE("what a peer was promised with its stream stays held once it has asked for it") {
  NewLog node;
  CHECK_FALSE(node.custody.on_claim("stranger", *node.fresh, 1, node.now.steady));
  CHECK(node.custody.on_claim("peer", *node.fresh, 5, node.now.steady));
  CHECK(node.need().wanted);
  CHECK_FALSE(node.need().for_itself);
  node.heard = node.now.steady + 1h;
  node.pass(10s);
  CHECK_FALSE(node.need().wanted);

  CHECK(node.need().kept_from == std::optional<std::uint64_t>(5));
  node.custody.on_release("peer", {"events", {node.fresh->id}});
  CHECK_FALSE(node.need().keep);
}

TEST_CASE("what is over the limit of holds is refused, for one peer and for all") {
  Run node({.holds_max = 3, .holds_per_peer_max = 2});
  bool is_new = false;
  const auto want = [&](const std::string& peer, const std::string& stream) {
    return node.custody.on_standing_want(peer, *node.logs.add({"o", "1-x", stream}, false, is_new),
                                         1);
  };
  REQUIRE(want("a", "1"));
  REQUIRE(want("a", "2"));

  CHECK(want("a", "3").error().code == Errc::TooLarge);
  CHECK(want("a", "1"));
  CHECK(want("b", "1"));
  CHECK(want("b", "2").error().code == Errc::TooLarge);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
