#include <doctest/doctest.h>

#include "tests/store/copy_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/copy");

namespace {

using Words = std::vector<std::string>;

std::vector<std::string> told(CommitterFixture& store) { return store.listener.take_copies(); }

}  // namespace

TEST_CASE("a copy keeps seq, recorded time and id of the events' origin") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  store.submit(3, "here");

  const auto no = store.write(stretch(foreign(), 6, 9, {{7, 9}, "alarm/1"}));

  REQUIRE(no);
  CHECK(*no == 2);
  const auto read = store.read({.log = 2, .after = 6, .filters = {}});
  REQUIRE(read);
  REQUIRE(read->batch->size() == 2);
  const EventView& event = read->batch->events()[1];
  CHECK(event.position == Position(2, 9));
  CHECK(event.id_text() == "e-9");
  CHECK(event.recorded == WallTime(Duration(1'000'000)));
  const LogRecord log = store.log(2);
  CHECK(log.id == foreign());
  CHECK_FALSE(log.open);
  CHECK(log.first == 7);
  CHECK(log.head == 9);
  CHECK(log.whole_from == 7);
  CHECK(log.head_id == "e-9");
  CHECK(log.events == 2);
  CHECK(store.submit(1, "here").batch->events()[0].position == Position(1, 4));
}

TEST_CASE("a listener is told of the log, then its events, then how far it goes") {
  TempDir directory;
  CommitterFixture store(options_in(directory));

  auto first = stretch(foreign(), 4, 9, {{5, 6}});
  first.gaps = {{0, 7, 8, "lost"}};
  store.write(std::move(first));
  CHECK(told(store) == Words{"opened 1 4", "events 1 5..6", "copied 1 9", "gap 1 7..8 lost"});
  store.write(stretch(foreign(), 9, 12, {}));

  CHECK(told(store) == Words{"copied 1 12"});
  CHECK(store.log(1).head == 12);
  CHECK(store.log(1).head_id.empty());
}

TEST_CASE("a write that is not where the copy stands is refused, and nothing changes") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  store.write(whole(foreign(), 0, 5));
  told(store);

  for (const std::uint64_t after : {0, 4, 6}) {
    const auto answer = store.write(whole(foreign(), after, 9));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::Invalid);
    CHECK(answer.error().message.find("it stands at 5") != std::string::npos);
  }

  CHECK(told(store).empty());
  CHECK(store.log(1).head == 5);
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "1 2 3 4 5");
}

TEST_CASE("a write that makes no sense is refused") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  store.submit(1, "here");
  const LogId own = store.log(1).id;
  const auto refused = [&](CopyWrite write) {
    const auto answer = store.write(std::move(write));
    return !answer && answer.error().code == Errc::Invalid;
  };

  CHECK(refused(whole(own, 1, 2)));
  CHECK(refused(stretch(foreign(), 0, 3, {{2, 1}})));
  CHECK(refused(stretch(foreign(), 0, 3, {{4}})));
  CHECK(refused(stretch(foreign(), 5, 3, {})));
  CHECK(refused(stretch(foreign(), 0, std::uint64_t{1} << 40, {})));
  auto gap = stretch(foreign(), 0, 3, {});
  gap.gaps = {{0, 2, 4, "lost"}};
  CHECK(refused(std::move(gap)));
  auto too_whole = whole(foreign(), 0, 3);
  too_whole.whole_from = 5;
  CHECK(refused(std::move(too_whole)));
  auto nothing_to_fill = whole(foreign(), 0, 3);
  nothing_to_fill.backfill = true;
  CHECK(refused(std::move(nothing_to_fill)));
  auto above = whole(foreign(), 0, 3);
  above.begin_backfill = {.from = 2, .to = 4, .upto = 1, .filters = {}};
  CHECK(refused(std::move(above)));
  CHECK(store.board.logs().size() == 1);
}

TEST_CASE("copies, filters and the backfill under way are there after a restart") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    CommitterFixture store(options_in(directory));
    auto first = stretch(foreign(), 49, 60, {{50, 60}});
    first.whole_from = 0;
    first.filters = {{{"alarm/#", 50}, {"b", 55}}};
    first.begin_backfill = {.from = 1, .to = 49, .upto = 0, .all = false, .filters = {"b"}};
    store.write(std::move(first));
    CHECK(told(store).back() == "backfilled 1 0");
    auto fill = stretch(foreign(), 0, 20, {{3, 7}, "b"});
    fill.backfill = true;
    REQUIRE(store.write(std::move(fill)));
    CHECK(told(store) == Words{"backfilled 1 20"});
    store.committer->close();
  }

  CommitterFixture store(options_in(directory));

  const LogRecord log = store.log(1);
  CHECK(log.first == 1);
  CHECK(log.head == 60);
  CHECK(log.whole_from == 0);
  CHECK(log.filters == std::vector<CopyFilter>{{"alarm/#", 50}, {"b", 55}});
  CHECK(log.head_id == "e-60");
  CHECK(log.events == 4);
  const BackfillRecord backfill = store.committer->mesh_records().backfills.at(1);
  CHECK(backfill.from == 1);
  CHECK(backfill.to == 49);
  CHECK(backfill.upto == 20);
  CHECK_FALSE(backfill.all);
  CHECK(backfill.filters == std::vector<std::string>{"b"});
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "3 7 50 60");
  CHECK(sql(file, "SELECT origin, whole_from, filters, backfill FROM logs") ==
        Words{"far||{\"alarm/#\":50,\"b\":55}|{\"from\":1,\"to\":49,\"upto\":20}"});
}

TEST_CASE("a backfill leaves what is stored already as it is, and can make the copy whole") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  auto first = stretch(foreign(), 0, 10, {{3, 5, 10}, "alarm/1", 100});
  first.whole_from = 0;
  first.begin_backfill = {.from = 1, .to = 10, .upto = 0, .filters = {}};
  store.write(std::move(first));
  const std::uint64_t bytes = store.log(1).bytes;
  told(store);

  auto fill = stretch(foreign(), 0, 10, {from_to(1, 10), "other", 7});
  fill.backfill = true;
  fill.gaps = {};
  fill.end_backfill = true;
  fill.whole_from = 1;
  REQUIRE(store.write(std::move(fill)));

  CHECK(told(store) == Words{"backfilled 1 -"});
  const auto read = store.read({.log = 1, .after = 0, .filters = {}});
  CHECK(words(read) == "1 2 3 4 5 6 7 8 9 10");
  CHECK(read->batch->events()[2].topic == "alarm/1");
  CHECK(read->batch->events()[3].topic == "other");
  CHECK(store.log(1).events == 10);
  CHECK(store.log(1).bytes > bytes);
  CHECK(store.log(1).whole_from == 1);
  CHECK(store.committer->mesh_records().backfills.empty());
}

// The mesh asked for what lay below the copy as it was then.
TEST_CASE("what a backfill brings is part of the copy only where it still meets it") {
  for (const std::uint64_t upto : {32U, 39U}) {
    CAPTURE(upto);
    TempDir directory;
    StreamOptions aged{.name = "alarms", .topics = {"alarm/#"}};
    aged.retain.age = std::chrono::hours(1);
    CommitterFixture store(options_in(directory, {aged}));
    auto old = whole(foreign("alarms"), 32, 39);
    old.whole_from = 33;
    REQUIRE(store.write(std::move(old)));
    Seqs late{from_to(40, 42)};
    late.recorded = store.clock.wall();
    REQUIRE(store.write(stretch(foreign("alarms"), 39, 42, late)));
    store.rest(std::chrono::minutes(1));
    REQUIRE(store.log(1).whole_from == 40);

    auto fill = whole(foreign("alarms"), 19, upto);
    fill.backfill = fill.end_backfill = true;
    fill.begin_backfill = {.from = 20, .to = upto, .upto = 19, .all = true, .filters = {}};
    fill.whole_from = 20;
    REQUIRE(store.write(std::move(fill)));

    CHECK(store.log(1).whole_from == (upto == 32 ? 40 : 20));
    auto filtered = stretch(foreign("alarms"), 9, 19, {{12}});
    filtered.backfill = filtered.end_backfill = true;
    filtered.begin_backfill = {.from = 10, .to = 19, .upto = 9, .filters = {"alarm/1"}};
    filtered.whole_from = 0;
    REQUIRE(store.write(std::move(filtered)));
    CHECK(store.log(1).whole_from == 0);
  }
}

TEST_CASE("a backfill can begin with its first stretch, and end with it") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  store.write(whole(foreign(), 20, 30));
  told(store);
  const auto fill = [&](std::uint64_t from, std::uint64_t upto) {
    auto write = whole(foreign(), from - 1, upto);
    write.backfill = true;
    write.begin_backfill = {.from = from, .to = 20, .upto = from - 1, .filters = {}};
    return write;
  };

  REQUIRE(store.write(fill(11, 15)));
  CHECK(told(store) == Words{"backfilled 1 15"});
  CHECK(store.committer->mesh_records().backfills.at(1).upto == 15);
  CHECK_FALSE(store.write(fill(11, 21)));
  auto last = fill(1, 20);
  last.end_backfill = true;
  last.whole_from = 1;
  REQUIRE(store.write(std::move(last)));

  CHECK(told(store) == Words{"backfilled 1 -"});
  CHECK(store.log(1).events == 30);
  CHECK(store.log(1).first == 1);
  CHECK(store.log(1).whole_from == 1);
}

TEST_CASE("a backfill does not go beyond its end, nor back") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  auto first = whole(foreign(), 20, 30);
  first.begin_backfill = {.from = 5, .to = 10, .upto = 4, .filters = {}};
  store.write(std::move(first));
  const auto fill = [&](std::uint64_t after, std::uint64_t upto) {
    auto write = whole(foreign(), after, upto);
    write.backfill = true;
    return store.write(std::move(write)).has_value();
  };

  CHECK_FALSE(fill(0, 4));
  CHECK(fill(4, 7));
  CHECK_FALSE(fill(4, 7));
  CHECK_FALSE(fill(7, 11));
  CHECK(fill(7, 10));
  CHECK(store.log(1).first == 5);
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) ==
        "5 6 7 8 9 10 21 22 23 24 25 26 27 28 29 30");
}

TEST_CASE("a gap hides nothing: what is stored in its range comes out between its parts") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  auto filtered = stretch(foreign(), 0, 7, {{3, 4, 5}});
  filtered.whole_from = 0;
  filtered.begin_backfill = {.from = 1, .to = 7, .upto = 0, .filters = {}};
  store.write(std::move(filtered));
  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "3 4 5");

  auto fill = stretch(foreign(), 0, 7, {});
  fill.backfill = true;
  fill.gaps = {{0, 1, 7, "retention"}};
  fill.end_backfill = true;
  fill.whole_from = 1;
  store.write(std::move(fill));

  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) ==
        "retention(1..2) 3 4 5 retention(6..7)");
  CHECK(words(store.read({.log = 1, .after = 1, .filters = {{"no", {}}}})) ==
        "retention(2..2) retention(6..7)");
  CHECK(store.board.status().dropped.empty());
}

TEST_CASE("gaps that overlap are told once, with the reason that was there first") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  auto first = stretch(foreign(), 0, 20, {});
  first.gaps = {{0, 5, 6, "lost"}, {0, 10, 12, "ttl"}, {0, 13, 14, "ttl"}};
  first.begin_backfill = {.from = 1, .to = 20, .upto = 0, .filters = {}};
  first.whole_from = 21;
  store.write(std::move(first));

  auto fill = stretch(foreign(), 0, 20, {});
  fill.backfill = true;
  fill.gaps = {{0, 1, 15, "retention"}};
  store.write(std::move(fill));

  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) ==
        "retention(1..4) lost(5..6) retention(7..9) ttl(10..14) retention(15..15)");
}

TEST_CASE("many gaps come in pieces") {
  TempDir directory;
  CommitterFixture store(options_in(directory));
  auto write = stretch(foreign(), 0, 10'000, {});
  for (std::uint64_t seq = 1; seq <= 10'000; ++seq) {
    write.gaps.push_back({0, seq, seq, seq % 2 == 0 ? "lost" : "ttl"});
  }
  store.write(std::move(write));

  std::uint64_t after = 0;
  std::uint64_t gaps = 0;
  int reads = 0;
  for (; after < 10'000; ++reads) {
    const auto read = store.read({.log = 1, .after = after, .filters = {}});
    REQUIRE(read);
    REQUIRE(read->gaps.size() <= 2000);
    gaps += read->gaps.size();
    REQUIRE(read->upto == read->gaps.back().to);
    after = read->upto;
  }
  CHECK(gaps == 10'000);
  CHECK(reads > 4);
}

TEST_CASE("a copy in memory is numbered and told, and is gone after a restart") {
  TempDir directory;
  StreamOptions fast{.name = "fast", .topics = {"alarm/#"}, .durability = Durability::Memory};
  {
    CommitterFixture store(options_in(directory, {fast}));
    CHECK(store.write(whole(foreign("fast"), 0, 3)).value() == 1);
    CHECK(told(store) == Words{"opened 1 0", "events 1 1..3", "copied 1 3"});
    CHECK(store.log(1).first == 4);
    CHECK(store.log(1).head == 3);
    auto unknown = whole(foreign("not here"), 0, 3);
    unknown.durability = Durability::Memory;
    CHECK(store.write(std::move(unknown)).value() == 2);
    CHECK(sql(directory / "data/marram.db", "SELECT count(*) FROM event") == Words{"0"});
    store.committer->close();
  }

  CommitterFixture store(options_in(directory, {fast}));

  CHECK(store.board.logs().empty());
  CHECK(store.write(whole(foreign("fast"), 3, 4)).value() == 3);
}

TEST_CASE("the clocks of others do not move the time at which events are recorded here") {
  TempDir directory;
  const WallTime future = ManualClock().wall() + std::chrono::hours(24 * 365 * 50);
  {
    CommitterFixture store(options_in(directory));
    store.write(stretch(foreign(), 0, 1, {{1}, "a", 1, future}));
    CHECK(store.submit(1, "a").batch->events()[0].recorded < future);
    store.committer->close();
  }
  CommitterFixture store(options_in(directory));

  CHECK(store.submit(1, "a").batch->events()[0].recorded < future);
  CHECK(store.committer->recorded() < future);
}

TEST_CASE("a log of an earlier run of this node grows again from what peers have") {
  TempDir directory;
  LogId old;
  {
    CommitterFixture store(options_in(directory));
    store.submit(5, "a");
    old = store.log(1).id;
    store.committer->close();
  }
  CommitterFixture store(options_in(directory));
  CHECK_FALSE(store.log(1).open);
  store.submit(1, "a");

  CHECK(store.write(whole(old, 5, 8)).value() == 1);

  CHECK(words(store.read({.log = 1, .after = 0, .filters = {}})) == "1 2 3 4 5 6 7 8");
  CHECK(store.log(2).head == 1);
}

TEST_CASE("the store takes what the mesh asks for between publishes, and refuses it when closed") {
  TempDir directory;
  TestStore store(options_in(directory));
  std::vector<Answer<Result<std::uint32_t>>> answers(50);

  for (std::uint64_t i = 0; i < answers.size(); ++i) {
    store.store->write_copy(whole(foreign(), i * 10, i * 10 + 10), answers[i].taker());
    if (i % 10 == 0) store.put(3);
  }
  for (auto& answer : answers) CHECK(answer.wait().has_value());
  Answer<Status> held;
  store.store->put_hold({"b", "events", {}, {{1, 3}}}, held.taker());
  CHECK(held.wait());
  store.store->move_holds({{"b", "events", 1, 9}}, {});
  store.store->set_pins({{1, 3}});
  store.store->save_facts({.map_number = 7, .runs = 9});
  Answer<Status> ended;
  store.store->end_epoch(ended.taker());
  CHECK(ended.wait());
  Answer<Status> removed;
  store.store->remove_hold("b", "elsewhere", removed.taker());
  CHECK(removed.wait());
  Answer<Status> forgotten;
  store.store->forget_log(1, forgotten.taker());
  CHECK(forgotten.wait().error().code == Errc::Invalid);
  store.put(1);
  store.store->close();
  Answer<Result<std::uint32_t>> late;
  store.store->write_copy(whole(foreign(), 500, 501), late.taker());
  CHECK(late.wait().error().code == Errc::Closed);

  TestStore again(options_in(directory));
  const auto logs = again.store->logs();
  REQUIRE(logs.size() == 3);
  CHECK(logs[0].events + logs[1].events + logs[2].events == 500 + 15 + 1);
  CHECK(logs[2].id.epoch.starts_with("10-"));
  const MeshRecords records = again.store->mesh_records();
  CHECK(records.facts == MeshFacts{.map_number = 7, .runs = 9});
  CHECK(records.holds.at(0).acked.at(1) == 9);
  CHECK(again.store->status().events == 516);
}

TEST_SUITE_END();

}  // namespace marram::test
