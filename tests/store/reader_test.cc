#include <doctest/doctest.h>

#include <thread>

#include "core/store/reader.h"
#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/reader");

TEST_CASE("a log is read in pieces, each going on where the last one ended") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(1000);

  std::uint64_t after = 0;
  std::uint64_t seen = 0;
  while (after < 1000) {
    const auto read = store.read({.log = 1, .after = after, .filters = {}, .events_max = 77});
    REQUIRE(read);
    REQUIRE(read->batch->size() <= 77);
    for (const EventView& event : read->batch->events()) CHECK(event.position.seq() == ++seen);
    REQUIRE(read->upto == seen);
    after = read->upto;
  }
  CHECK(seen == 1000);
}

TEST_CASE("bytes_max ends a read, after at least one event") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(10, "a", 10'000);

  const auto read = store.read({.log = 1, .after = 0, .filters = {}, .bytes_max = 25'000});
  const auto least = store.read({.log = 1, .after = 0, .filters = {}, .bytes_max = 1});

  CHECK(read->batch->size() == 3);
  CHECK(read->upto == 3);
  CHECK(least->batch->size() == 1);
}

TEST_CASE("filters choose, and what does not match is looked at all the same") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put({{.topic = "a/1"}, {.topic = "b/1"}, {.topic = "a/2"}, {.topic = "c"}});

  const auto read = store.read({.log = 1, .after = 0, .filters = {{"a/#", {}}}});

  REQUIRE(read->batch->size() == 2);
  CHECK(read->batch->events()[1].topic == "a/2");
  CHECK(read->upto == 4);
}

TEST_CASE("a filter matches what is recorded after its time only") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(1);
  const WallTime first = store.listener.told().events()[0]->recorded;
  store.put(1);

  const auto read = store.read({.log = 1, .after = 0, .filters = {{"#", first}}});

  REQUIRE(read->batch->size() == 1);
  CHECK(read->batch->events()[0].position.seq() == 2);
}

TEST_CASE("the end of a log, a log that is not there") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(3);

  const auto end = store.read({.log = 1, .after = 3, .filters = {}});
  const auto beyond = store.read({.log = 1, .after = 30, .filters = {}});
  const auto unknown = store.read({.log = 2, .after = 0, .filters = {}});

  CHECK(end->batch->empty());
  CHECK(end->upto == 3);
  CHECK(beyond->upto == 30);
  CHECK(unknown.error().code == Errc::NotFound);
  CHECK(store.find_time(2, {}).error().code == Errc::NotFound);
}

TEST_CASE("find_time finds the first event recorded at or after a time") {
  TempDir directory;
  TestStore store(options_in(directory));
  for (int i = 0; i < 9; ++i) store.put(2);
  const auto told = store.listener.told();

  for (const EventView* const event : told.events()) {
    const std::uint64_t first = (event->position.seq() - 1) / 2 * 2 + 1;
    CHECK(store.find_time(1, event->recorded).value() == first);
    CHECK(store.find_time(1, event->recorded + Duration(1)).value() == first + 2);
  }
  CHECK(store.find_time(1, WallTime()).value() == 1);
}

TEST_CASE("a log of which nothing is left says that retention took it") {
  TempDir directory;
  StreamOptions stream{.name = "short", .topics = {"a"}};
  stream.retain.bytes = 1;
  TestStore store(options_in(directory, {stream}));
  store.put(5, "a");
  while (store.store->logs().at(0).first != 6) std::this_thread::yield();

  const auto read = store.read({.log = 1, .after = 2, .filters = {}});

  REQUIRE(read);
  CHECK(read->upto == 5);
  REQUIRE(read->gaps.size() == 1);
  CHECK(read->gaps[0].from == 3);
  CHECK(read->gaps[0].to == 5);
  CHECK(read->gaps[0].reason == "retention");
}

TEST_CASE("a log that the database has forgotten meanwhile reads as a gap") {
  TempDir directory;
  TestStore(options_in(directory)).put(1);
  store::Board board;
  board.update([](StoreStatus& status) {
    store::Board::put(status, {.no = 7, .id = {"n", "1-x", "events"}, .first = 6, .head = 5});
  });
  store::Reader reader(directory / "data/marram.db", "", board, [] {});
  Answer<Result<ReadResult>> answer;

  reader.read({.log = 7, .after = 2, .filters = {}}, answer.taker());

  const auto read = answer.wait();
  REQUIRE(read);
  CHECK(read->upto == 5);
  REQUIRE(read->gaps.size() == 1);
  CHECK(read->gaps[0].from == 3);
  CHECK(read->gaps[0].to == 5);
  CHECK(read->gaps[0].reason == "retention");
}

TEST_SUITE_END();

}  // namespace marram::test
