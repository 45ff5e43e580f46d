#include <doctest/doctest.h>

#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/store");

TEST_CASE("what was answered is there after closing and opening again") {
  TempDir directory;
  std::vector<Position> positions;
  std::string node;
  {
    TestStore store(options_in(directory));
    node = store.store->node_id();
    positions = store.put({{.topic = "a/b",
                            .payload = std::string("pay\0load", 8),
                            .key = "k",
                            .content_type = "text/plain",
                            .client = "c1",
                            .headers = {{"h", "1"}, {"h", "\"2\"\n\\"}, {"\xC3\xA9", ""}},
                            .time = WallTime(Duration(1'000'001)),
                            .expires = WallTime(Duration(2'000'002))},
                           {.topic = "a/c", .id = "my id"}});
  }

  TestStore store(options_in(directory));
  const auto logs = store.store->logs();
  REQUIRE(logs.size() == 1);
  CHECK(store.store->node_id() == node);
  CHECK(logs[0].head == 2);
  CHECK(logs[0].first == 1);
  CHECK_FALSE(logs[0].open);
  const auto read = store.read({.log = positions[0].log(), .after = 0, .filters = {}});
  REQUIRE(read);
  CHECK(read->upto == 2);
  CHECK(read->gaps.empty());
  REQUIRE(read->batch->size() == 2);
  const EventView& first = read->batch->events()[0];
  CHECK(first.position == positions[0]);
  CHECK(first.topic == "a/b");
  CHECK(first.payload == std::string_view("pay\0load", 8));
  CHECK(first.key == "k");
  CHECK(first.content_type == "text/plain");
  CHECK(first.client == "c1");
  CHECK(first.to_event().headers == HeaderPairs{{"h", "1"}, {"h", "\"2\"\n\\"}, {"\xC3\xA9", ""}});
  CHECK(first.time == WallTime(Duration(1'000'001)));
  CHECK(first.expires == WallTime(Duration(2'000'002)));
  CHECK_FALSE(first.uuid.is_nil());
  CHECK(read->batch->events()[1].id == "my id");
  CHECK(read->batch->events()[1].expires == WallTime());
}

TEST_CASE("positions grow without holes, recorded time grows from commit to commit") {
  TempDir directory;
  TestStore store(options_in(directory));

  for (int i = 0; i < 20; ++i) store.put(3);

  const auto told = store.listener.told();
  REQUIRE(told.opened.size() == 1);
  std::uint64_t seq = 0;
  WallTime before{};
  for (const EventBatchPtr& batch : told.batches) {
    CHECK(batch->events().front().recorded > before);
    before = batch->events().front().recorded;
    for (const EventView& event : batch->events()) {
      CHECK(event.position == Position(told.opened[0].no, ++seq));
      CHECK(event.recorded == before);
    }
  }
  CHECK(seq == 60);
}

TEST_CASE("recorded time grows also when the clock has been set back") {
  struct OldClock : Clock {
    TimePoint now() const override { return Clock::system().now(); }
    WallTime wall() const override { return WallTime(Duration(1)); }
  } const old;
  TempDir directory;
  WallTime before;
  {
    TestStore store(options_in(directory));
    before = store.submit({{.topic = "a"}}).batch->events()[0].recorded;
  }

  TestStore store(options_in(directory), old);

  CHECK(store.submit({{.topic = "a"}}).batch->events()[0].recorded > before);
}

TEST_CASE("each run writes logs of its own epoch, from the first event on") {
  TempDir directory;
  {
    TestStore store(options_in(directory));
  }
  {
    TestStore(options_in(directory)).put(1);
  }
  TestStore store(options_in(directory));
  CHECK(store.store->logs().size() == 1);

  store.put(1);

  const auto logs = store.store->logs();
  REQUIRE(logs.size() == 2);
  CHECK(logs[0].id.origin == logs[1].id.origin);
  CHECK(logs[0].id.epoch.starts_with("1-"));
  CHECK(logs[1].id.epoch.starts_with("2-"));
  CHECK_FALSE(logs[0].open);
  CHECK(logs[1].open);
}

TEST_CASE("an event goes to the log of its topic's stream") {
  TempDir directory;
  TestStore store(options_in(directory, {{.name = "alarms", .topics = {"+/alarm/#"}}}));

  const auto positions = store.put({{.topic = "x"}, {.topic = "p/alarm/1"}, {.topic = "y"}});

  const auto logs = store.store->logs();
  REQUIRE(logs.size() == 2);
  CHECK(logs[0].id.stream == "events");
  CHECK(logs[1].id.stream == "alarms");
  CHECK(positions == std::vector<Position>{{1, 1}, {2, 1}, {1, 2}});
}

TEST_CASE("events of a stream in memory get positions and are told, but are not on disk") {
  TempDir directory;
  const StreamOptions fast{.name = "fast", .topics = {"m/#"}, .durability = Durability::Memory};
  {
    TestStore store(options_in(directory, {fast}));
    store.put({{.topic = "m/1"}, {.topic = "m/2"}});
    const auto positions = store.put({{.topic = "m/3"}});
    CHECK(positions == std::vector<Position>{{1, 3}});
    CHECK(store.listener.told().events().size() == 3);
    const auto read = store.read({.log = 1, .after = 1, .filters = {}});
    REQUIRE(read);
    CHECK(read->batch->empty());
    CHECK(read->upto == 3);
    REQUIRE(read->gaps.size() == 1);
    CHECK(read->gaps[0].from == 2);
    CHECK(read->gaps[0].to == 3);
    CHECK(read->gaps[0].reason == "memory");
  }

  CHECK(sql(directory / "data/marram.db", "SELECT count(*) FROM event")[0] == "0");
  TestStore store(options_in(directory, {fast}));
  CHECK(store.put({{.topic = "m/1"}})[0].log() != 1);
}

TEST_CASE("a closed store refuses, and leaves the batch with its owner") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.store->close();
  UuidMaker ids;
  auto batch = std::make_unique<EventBatch>();
  batch->add(Event{.topic = "a"}, "", WallTime(), ids);

  const auto status = store.store->submit(std::move(batch), std::make_shared<Inbox>(), 1);

  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::Closed);
  REQUIRE(batch != nullptr);
  CHECK(batch->size() == 1);
  CHECK(store.put_consumer({.name = "c"}).error().code == Errc::Closed);
  CHECK(store.remove_consumer(1).error().code == Errc::Closed);
  CHECK(store.read({.log = 1, .after = 0, .filters = {}}).error().code == Errc::Closed);
}

TEST_SUITE_END();

}  // namespace marram::test
