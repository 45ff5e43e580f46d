#include <doctest/doctest.h>

#include "tests/store/copy_fixture.h"

namespace marram::test {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_SUITE_BEGIN("store/hold");

namespace {

using Words = std::vector<std::string>;

std::vector<StreamOptions> aged(Duration age) {
  StreamOptions stream{.name = "alarms", .topics = {"alarm/#"}};
  stream.retain.age = age;
  return {stream};
}

Status hold(CommitterFixture& store, const std::string& peer,
            std::map<std::uint32_t, std::uint64_t> acked) {
  return store.ask(
      store::PutHoldCommand{{peer, "alarms", store.clock.wall(), std::move(acked)}, {}});
}

void acknowledge(CommitterFixture& store, const std::string& peer, std::uint64_t acked) {
  store.run(store::MoveHoldsCommand{{{peer, "alarms", 1, acked}}, store.clock.wall()});
}

}  // namespace

TEST_CASE("history waits until every peer that it is held for has acknowledged it") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(10, "alarm/1");
  REQUIRE(hold(store, "b", {{1, 0}}));
  REQUIRE(hold(store, "c", {{1, 7}}));

  store.rest(hours(24 * 40));
  CHECK(store.log(1).first == 1);
  acknowledge(store, "b", 4);
  store.rest(seconds(2));
  CHECK(store.log(1).first == 5);
  acknowledge(store, "b", HoldRecord::kReleased);
  store.rest(seconds(2));
  CHECK(store.log(1).first == 8);
  REQUIRE(store.ask(store::RemoveHoldCommand{"c", "alarms", {}}));
  store.rest(seconds(2));

  CHECK(store.log(1).first == 11);
  CHECK(store.board.status().dropped.empty());
}

TEST_CASE("a move of a hold never goes back, but the hold can be made anew") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(10, "alarm/1");
  hold(store, "b", {{1, 0}});
  const auto acked = [&] { return store.committer->mesh_records().holds.at(0).acked; };
  const auto file = directory / "data/marram.db";

  acknowledge(store, "b", 6);
  acknowledge(store, "b", 3);
  store.rest(seconds(1));
  CHECK(acked().at(1) == 6);
  std::vector<store::Command> group;
  group.emplace_back(store::MoveHoldsCommand{{{"b", "alarms", 1, 9}}, store.clock.wall()});
  group.emplace_back(
      store::PutHoldCommand{{"b", "alarms", store.clock.wall(), {{1, 2}}}, [](const Status&) {}});
  store.committer->run(group);
  store.rest(seconds(1));

  CHECK(acked().at(1) == 2);
  CHECK(sql(file, "SELECT acked FROM hold_log") == Words{"2"});
}

TEST_CASE("a log that is new is held with its stream at once, but not for its own origin") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(1, "alarm/1");
  for (const char* const peer : {"b", "far"}) REQUIRE(hold(store, peer, {{1, 1}}));

  store.run(store::WriteCopyCommand{whole(foreign("alarms"), 0, 3), [](const auto&) {}});

  const auto holds = store.committer->mesh_records().holds;
  REQUIRE(holds.size() == 2);
  CHECK(holds[0].peer == "b");
  CHECK(holds[0].acked == std::map<std::uint32_t, std::uint64_t>{{1, 1}, {2, 0}});
  CHECK(holds[1].acked == std::map<std::uint32_t, std::uint64_t>{{1, 1}});
}

TEST_CASE("moves of holds and logs that are not there are passed over") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(1, "alarm/1");

  acknowledge(store, "nobody", 1);
  REQUIRE(hold(store, "b", {{1, 0}, {77, 0}}));
  store.run(store::MoveHoldsCommand{{{"b", "alarms", 78, 5}}, store.clock.wall()});
  store.rest(seconds(1));
  CHECK(store.ask(store::RemoveHoldCommand{"nobody", "alarms", {}}));

  const auto holds = store.committer->mesh_records().holds;
  REQUIRE(holds.size() == 1);
  CHECK(holds[0].acked == std::map<std::uint32_t, std::uint64_t>{{1, 0}});
}

TEST_CASE("holds and facts are there after a restart, and the view `holds` shows who waits") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    CommitterFixture store(options_in(directory, aged(hours(1))));
    store.submit(10, "alarm/1");
    hold(store, "b", {{1, 2}});
    store.clock.pass(minutes(5));
    acknowledge(store, "b", 4);
    store.run(
        store::SaveFactsCommand{{.map_number = 11, .runs = 3, .nodes = {{"x", 1}, {"y", 2}}}});
    store.run(
        store::SaveFactsCommand{{.map_number = 12, .runs = 3, .nodes = {{"y", 3}, {"z", 3}}}});
    store.committer->close();
  }

  CommitterFixture store(options_in(directory, aged(hours(1))));

  const MeshRecords records = store.committer->mesh_records();
  CHECK(records.facts == MeshFacts{.map_number = 12, .runs = 3, .nodes = {{"y", 3}, {"z", 3}}});
  REQUIRE(records.holds.size() == 1);
  CHECK(records.holds[0].peer == "b");
  CHECK(records.holds[0].stream == "alarms");
  CHECK(records.holds[0].contact == ManualClock().wall() + minutes(5));
  CHECK(records.holds[0].acked.at(1) == 4);
  CHECK(sql(file, "SELECT peer, stream, contact, after_acked FROM holds") ==
        Words{"b|alarms|2026-11-24T00:05:00.000000Z|6"});
  store.rest(hours(2));
  CHECK(store.log(1).first == 5);
}

TEST_CASE("pins hold history back while they are there, also when the disk has failed meanwhile") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(10, "alarm/1");
  store.run(store::SetPinsCommand{{{1, 6}, {1, 3}}});

  store.rest(hours(2));
  CHECK(store.log(1).first == 4);
  store.run(store::SetPinsCommand{{{1, 8}}});
  store.rest(seconds(2));
  CHECK(store.log(1).first == 9);
  store.run(store::SetPinsCommand{});
  store.rest(seconds(2));

  CHECK(store.log(1).first == 11);
}

TEST_CASE("nothing of a copy goes as history before the mesh can say for whom it is") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));

  store.write(whole(foreign("alarms"), 0, 10));
  store.rest(seconds(20));
  CHECK(store.log(1).first == 1);
  hold(store, "b", {{1, 4}});
  store.rest(hours(1));

  CHECK(store.log(1).first == 5);
  CHECK(store.log(1).whole_from == 5);
}

TEST_CASE("retention is told as a gap by the log that this run writes, and by no copy") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(4, "alarm/1");
  store.write(whole(foreign("alarms"), 0, 4));

  store.rest(hours(2));
  store.submit(1, "alarm/1");
  store.write(stretch(foreign("alarms"), 4, 5, {{5}, "alarm/1", 1, store.clock.wall()}));

  CHECK(sql(file, "SELECT * FROM gap") == Words{"1|1|4|retention"});
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "retention(1..4) 5");
  CHECK(words(store.read({.log = 2, .after = 0, .filters = {}})) == "5");
  const auto trims = store.listener.told().trims;
  REQUIRE(trims.size() == 2);
  for (const auto& trim : trims) {
    CHECK(trim.first == 5);
    CHECK_FALSE(trim.owed);
  }
  store.rest(hours(2));
  CHECK(sql(file, "SELECT * FROM gap") == Words{"1|1|5|retention"});
}

TEST_CASE("ttl takes a copy's events from under a hold, says a gap and counts what was there") {
  TempDir directory;
  auto streams = aged(hours(1));
  streams[0].ttl = hours(5);
  CommitterFixture store(options_in(directory, streams));
  const WallTime now = store.clock.wall();
  auto filtered = stretch(foreign("alarms"), 0, 20, {{2, 9, 14}, "alarm/1", 1, now});
  filtered.whole_from = 0;
  filtered.filters = {{{"alarm/1", 1}}};
  store.write(std::move(filtered));
  hold(store, "b", {{1, 5}});

  store.rest(hours(6));

  CHECK(store.log(1).first == 15);
  CHECK(store.log(1).events == 0);
  CHECK(store.log(1).bytes == 0);
  CHECK(store.log(1).filters == std::vector<CopyFilter>{{"alarm/1", 15}});
  CHECK(store.board.status().dropped == std::map<std::string, std::uint64_t>{{"ttl", 2}});
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "ttl(6..14)");
}

TEST_CASE("a consumer holds a copy of events that belong to another stream here") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  const auto no = store.put_consumer("c", {{"fire", {}}});

  store.write(stretch(foreign("alarms"), 0, 5, {from_to(1, 5), "fire"}));
  store.rest(hours(2));
  CHECK(store.log(1).first == 1);
  store.move(no, 1, 3);
  store.rest(seconds(2));

  CHECK(store.log(1).first == 4);
}

TEST_CASE("bytes are kept right when a copy has been filled from behind") {
  TempDir directory;
  auto streams = aged(hours(24 * 365 * 100));
  streams[0].retain.bytes = 20'000;
  CommitterFixture store(options_in(directory, streams));
  const auto thousand = [](std::uint64_t from, std::uint64_t to) {
    return Seqs{from_to(from, to), "alarm/1", 1000 - 64 - 7 - 5};
  };
  auto first = stretch(foreign("alarms"), 20, 40, thousand(21, 40));
  first.begin_backfill = {.from = 1, .to = 20, .upto = 0, .filters = {}};
  store.write(std::move(first));
  auto fill = stretch(foreign("alarms"), 0, 20, thousand(1, 20));
  fill.backfill = true;
  fill.end_backfill = true;
  fill.whole_from = 1;
  REQUIRE(store.write(std::move(fill)));
  const std::uint64_t bytes = store.log(1).bytes;
  CHECK(bytes > 38'000);

  store.rest(minutes(1));

  CHECK(store.log(1).events == 41 - store.log(1).first);
  CHECK(store.log(1).bytes <= 20'000);
  CHECK(store.log(1).bytes > 18'000);
  CHECK(sql(directory / "data/marram.db", "SELECT count(*) FROM event")[0] ==
        std::to_string(store.log(1).events));
}

TEST_CASE("a log is forgotten when it is closed and has no events, with all that speaks of it") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  CommitterFixture store(options_in(directory, aged(hours(1))));
  const auto no = store.put_consumer("c", {{"alarm/#", {}}});
  auto filled = whole(foreign("alarms"), 0, 5);
  filled.gaps = {};
  filled.begin_backfill = {.from = 1, .to = 5, .upto = 0, .all = false, .filters = {"x"}};
  filled.filters = {{{"x", 1}}};
  store.write(std::move(filled));
  hold(store, "b", {{1, 0}});
  store.submit(1, "alarm/1");
  const auto forget = [&](std::uint32_t log) {
    return store.ask(store::ForgetLogCommand{log, {}});
  };

  CHECK(forget(1).error().code == Errc::Invalid);
  CHECK(forget(2).error().code == Errc::Invalid);
  CHECK(forget(3).has_value());
  store.move(no, 1, 5);
  acknowledge(store, "b", 5);
  store.rest(hours(2));
  store.listener.take_copies();
  REQUIRE(store.log(1).events == 0);
  CHECK(forget(1).has_value());

  CHECK(store.listener.take_copies() == Words{"forgotten 1"});
  CHECK_FALSE(store.board.log(1));
  for (const char* const table : {"cursor", "hold_log", "copy_filter", "backfill", "gap"}) {
    CHECK(sql(file, "SELECT count(*) FROM " + std::string(table) + " WHERE log = 1")[0] == "0");
  }
  CHECK(store.write(whole(foreign("alarms"), 0, 1)).value() == 3);
}

TEST_CASE("an empty log is not forgotten by itself where others may still need to know of it") {
  TempDir directory;
  LogId own;
  {
    CommitterFixture store(options_in(directory, aged(hours(1))));
    store.submit(5, "alarm/1");
    own = store.log(1).id;
    store.write(whole(foreign("alarms"), 0, 5));
    store.run(store::SaveFactsCommand{{.map_number = 1, .runs = 1}});
    store.rest(hours(2));
    CHECK(store.log(1).events == 0);
    CHECK(store.log(2).events == 0);
    store.committer->close();
  }

  CommitterFixture store(options_in(directory, aged(hours(1))));

  REQUIRE(store.board.logs().size() == 2);
  CHECK(store.log(1).id == own);
  CHECK(store.log(2).head == 5);
  CHECK(store.log(2).first == 6);
  CHECK(store.write(whole(foreign("alarms"), 5, 6)).value() == 2);
  CHECK(store.write(whole(own, 5, 6)).value() == 1);
  store.rest(hours(2));
  CHECK(store.log(1).events == 0);
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "retention(1..5)");
}

TEST_CASE("an epoch that is ended closes its logs, and the next one has a higher number") {
  TempDir directory;
  CommitterFixture store(options_in(directory, aged(hours(1))));
  store.submit(2, "alarm/1");
  store.submit(1, "other");
  store.listener.take_copies();
  store.run(store::SaveFactsCommand{{.map_number = 1, .runs = 41}});

  REQUIRE(store.ask(store::EndEpochCommand{}));

  CHECK(store.listener.take_copies() == Words{"copied 1 2", "copied 2 1"});
  for (const LogRecord& log : store.listener.told().copied) CHECK_FALSE(log.open);
  CHECK_FALSE(store.log(1).open);
  CHECK_FALSE(store.log(1).head_id.empty());
  store.submit(1, "alarm/1");
  CHECK(store.log(3).id.epoch.starts_with("42-"));
  CHECK(store.log(3).open);
  CHECK(store.log(1).head == 2);
  REQUIRE(store.ask(store::EndEpochCommand{}));
  REQUIRE(store.ask(store::EndEpochCommand{}));
  store.submit(1, "alarm/1");
  CHECK(store.log(4).id.epoch.starts_with("43-"));
}

TEST_SUITE_END();

}  // namespace marram::test
