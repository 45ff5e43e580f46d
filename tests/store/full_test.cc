#include <doctest/doctest.h>

#include <algorithm>

#include "tests/store/copy_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/full");

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxBytes = 4 << 20;

StoreOptions small_in(const TempDir& directory, std::vector<StreamOptions> streams = {}) {
  auto options = options_in(directory, std::move(streams));
  options.max_bytes = kMaxBytes;
  return options;
}

std::size_t refused(const Published& answer) {
  return static_cast<std::size_t>(std::count_if(answer.results.begin(), answer.results.end(),
                                                [](const Status& status) { return !status; }));
}

// Submits until one event alone is refused; how many were stored.
std::size_t fill(CommitterFixture& store, const std::string& topic) {
  std::size_t stored = 0;
  for (std::size_t count = 100; stored < 100'000;) {
    const auto answer = store.submit(count, topic, 1000);
    stored += count - refused(answer);
    if (refused(answer) == count) break;
    if (refused(answer) > 0) count = 1;
  }
  return stored;
}

}  // namespace

TEST_CASE("a full stream refuses the new event and keeps the old ones") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  store.put_consumer("backup", {{"#", {}}});

  const std::size_t stored = fill(store, "a");
  const auto answer = store.submit(1, "a", 1000);

  CHECK(stored > 2500);
  CHECK(stored < 4100);
  REQUIRE(answer.results.size() == 1);
  CHECK(answer.results[0].error().code == Errc::Full);
  CHECK(answer.results[0].error().message.find("\"backup\" has not had them") != std::string::npos);
  CHECK(answer.batch->events()[0].position == Position());
  CHECK(store.log(1).first == 1);
  CHECK(store.log(1).head == stored);
  CHECK(store.listener.told().events().size() == stored);
  CHECK(store.board.status().full);
  CHECK(store.board.status().refused_full > 0);
  CHECK(store.board.status().bytes <= kMaxBytes);
}

TEST_CASE("a full store says so in the log, once a minute") {
  TempDir directory;
  ErrorLog errors;
  CommitterFixture store(small_in(directory), errors);
  store.put_consumer("backup", {{"#", {}}});

  fill(store, "a");
  store.submit(1, "a", 1000);
  REQUIRE(errors.all.size() == 1);
  CHECK(errors.all[0].find("store: full for stream") == 0);

  store.rest(59s);
  store.submit(1, "a", 1000);
  CHECK(errors.all.size() == 1);
  store.rest(1s);
  store.submit(1, "a", 1000);
  CHECK(errors.all.size() == 2);
}

TEST_CASE("no room is made by what somebody asks for in the same moment") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  const auto consumer = store.put_consumer("backup", {{"#", {}}});
  const std::size_t stored = fill(store, "a");
  store.move(consumer, 1, stored);
  auto inbox = std::make_shared<Inbox>();
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  const std::string payload(1000, 'x');
  EventView event;
  event.topic = "a";
  event.payload = payload;
  batch->add(event, store.clock.wall(), ids);
  std::vector<store::Command> both;
  both.emplace_back(store::SubmitCommand{std::move(batch), inbox, 0});
  both.emplace_back(store::PutHoldCommand{{"peer", "events", store.clock.wall(), {{1, 0}}},
                                          [](const Status& status) { CHECK(status); }});

  store.committer->run(both);

  CHECK(store.log(1).first == 1);
  CHECK(store.log(1).head == stored);
}

TEST_CASE("a small event does not overtake a larger one before it that was refused") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  store.put_consumer("backup", {{"#", {}}});
  while (refused(store.submit(1, "a", 100'000)) == 0) {
  }

  const auto answer = store.submit({{.topic = "a", .payload = "small, fits"},
                                    {.topic = "a", .payload = std::string(100'000, 'x')},
                                    {.topic = "a", .payload = "small, comes later"}});

  REQUIRE(answer.results.size() == 3);
  CHECK(answer.results[0]);
  CHECK_FALSE(answer.results[1]);
  CHECK_FALSE(answer.results[2]);
}

TEST_CASE("a full store goes on by itself when a consumer has had what it holds") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  const auto no = store.put_consumer("c", {{"#", {}}});
  const std::size_t stored = fill(store, "a");

  store.move(no, 1, stored / 2);

  CHECK(store.submit(100, "a", 1000).results.empty());
  CHECK_FALSE(store.board.status().full);
  CHECK(store.log(1).first > 1);
  CHECK(store.log(1).first <= stored / 2 + 1);
  CHECK(fill(store, "a") > stored / 4);
  CHECK(store.log(1).first <= stored / 2 + 1);
  CHECK(store.board.status().dropped.empty());
}

TEST_CASE("delivered history makes room, the oldest of all streams first") {
  TempDir directory;
  CommitterFixture store(small_in(directory, {{.name = "alarms", .topics = {"alarm"}}}));
  store.submit(300, "alarm", 1000);
  store.clock.pass(std::chrono::seconds(1));

  for (int i = 0; i < 200; ++i) {
    store.clock.pass(std::chrono::milliseconds(1));
    REQUIRE(store.submit(100, "a", 1000).results.empty());
  }

  CHECK(store.log(1).first == 301);
  CHECK(store.log(2).first > 10'000);
  CHECK(store.log(2).head == 20'000);
  CHECK(store.board.status().bytes <= kMaxBytes);
  CHECK(store.board.status().dropped.empty());
}

TEST_CASE("drop-oldest gives up what is owed, counts it and leaves a gap in its place") {
  TempDir directory;
  StreamOptions stream{.name = "telemetry", .topics = {"t/#"}};
  stream.on_full = OnFull::DropOldest;
  CommitterFixture store(small_in(directory, {stream}));
  store.put_consumer("c", {{"#", {}}});

  for (int i = 0; i < 100; ++i) REQUIRE(store.submit(100, "t/1", 1000).results.empty());

  const LogRecord log = store.log(1);
  CHECK(log.head == 10'000);
  CHECK(log.first > 5000);
  CHECK(store.board.status().dropped.at("drop_oldest") == log.first - 1);
  CHECK(store.board.status().bytes <= kMaxBytes);
  const auto read = store.read({.log = 1, .after = 0, .filters = {}});
  REQUIRE(read);
  REQUIRE(read->gaps.size() == 1);
  CHECK(read->gaps[0].to == log.first - 1);
  CHECK(read->gaps[0].reason == "drop_oldest");
  CHECK(read->batch->events()[0].position.seq() == log.first);
}

TEST_CASE("drop-oldest of one stream leaves the others alone, which refuse meanwhile") {
  TempDir directory;
  StreamOptions stream{.name = "telemetry", .topics = {"t/#"}};
  stream.on_full = OnFull::DropOldest;
  CommitterFixture store(small_in(directory, {stream}));
  store.put_consumer("c", {{"#", {}}});
  store.submit(1000, "other", 1000);
  store.submit(1000, "t/1", 1000);
  const std::size_t more = fill(store, "other");

  const auto mixed = store.submit({{.topic = "other", .payload = std::string(400'000, 'x')},
                                   {.topic = "t/1", .payload = std::string(1000, 'y')}});

  REQUIRE(mixed.results.size() == 2);
  CHECK_FALSE(mixed.results[0]);
  CHECK(mixed.results[1]);
  CHECK(mixed.batch->events()[1].position == Position(2, 1001));
  CHECK(store.log(1).first == 1);
  CHECK(store.log(1).head == 1000 + more);
  const auto told = store.listener.told();
  CHECK(told.batches.back()->size() == 1);
  CHECK(told.batches.back()->events()[0].payload == std::string(1000, 'y'));
}

TEST_CASE("an event larger than the whole store is refused, and costs nobody anything") {
  TempDir directory;
  StreamOptions stream{.name = "telemetry", .topics = {"t/#"}};
  stream.on_full = OnFull::DropOldest;
  CommitterFixture store(small_in(directory, {stream}));
  store.submit(100, "history", 1000);
  store.put_consumer("c", {{"t/#", {}}});
  store.submit(100, "t/1", 1000);

  const auto answer = store.submit(1, "t/1", kMaxBytes + 1);

  REQUIRE(answer.results.size() == 1);
  CHECK(answer.results[0].error().code == Errc::Full);
  CHECK(store.log(1).first == 1);
  CHECK(store.log(2).first == 1);
  CHECK(store.log(2).head == 100);
  CHECK(store.board.status().dropped.empty());
}

TEST_CASE("a full store takes consumers and cursors") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  store.put_consumer("c", {{"#", {}}});
  const std::size_t stored = fill(store, "a");

  for (int i = 0; i < 20; ++i) {
    const auto no = store.put_consumer("d" + std::to_string(i), {{"x/#", {}}});
    store.move(no, 1, stored);
  }

  CHECK(store.listener.told().saved.size() == 20);
}

TEST_CASE("with less of the disk free than is to be left the file does not grow") {
  TempDir directory;
  auto options = options_in(directory);
  CommitterFixture(options).submit(2000, "a", 1000);
  options.reserve_free_share = 1;
  CommitterFixture store(options);
  const auto before = std::filesystem::file_size(directory / "data/marram.db");

  // The history of the first run is there to make room.
  for (int i = 0; i < 50; ++i) REQUIRE(store.submit(100, "a", 1000).results.empty());
  store.put_consumer("c", {{"#", {}}});
  fill(store, "a");

  const auto answer = store.submit(1, "a", 1000);
  REQUIRE(answer.results.size() == 1);
  CHECK(answer.results[0].error().message.find("reserve_free") != std::string::npos);
  store.rest(std::chrono::seconds(1));
  CHECK(std::filesystem::file_size(directory / "data/marram.db") <= before + (1 << 20));
}

TEST_CASE("a copy is stored whole or not at all, and goes on when there is room") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  const auto no = store.put_consumer("c", {{"#", {}}});
  const std::size_t stored = fill(store, "a");
  const auto copy = [&] {
    return store.write(stretch(foreign(), 0, 500, {from_to(1, 500), "a", 1000}));
  };

  const auto refused = copy();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Full);
  CHECK(store.board.logs().size() == 1);
  CHECK(store.board.status().full);
  CHECK(store.board.status().dropped.empty());
  CHECK(store.log(1).first == 1);
  store.move(no, 1, stored);

  CHECK(copy().value() == 2);
  CHECK(store.log(2).events == 500);
  CHECK(store.log(1).first > 1);
}

TEST_CASE("that a copy has moved on without events is stored in a full store too") {
  TempDir directory;
  CommitterFixture store(small_in(directory));
  store.put_consumer("c", {{"#", {}}});
  store.write(whole(foreign(), 0, 3));
  fill(store, "a");

  CHECK(store.write(stretch(foreign(), 3, 900, {})));

  CHECK(store.log(1).head == 900);
}

TEST_CASE("a copy of a stream with drop-oldest takes the place of that stream's oldest events") {
  TempDir directory;
  StreamOptions stream{.name = "telemetry", .topics = {"t/#"}};
  stream.on_full = OnFull::DropOldest;
  CommitterFixture store(small_in(directory, {stream}));
  store.put_consumer("c", {{"#", {}}});

  for (std::uint64_t after = 0; after < 10'000; after += 100) {
    REQUIRE(store.write(stretch(foreign("telemetry"), after, after + 100,
                                {from_to(after + 1, after + 100), "t/1", 1000})));
  }

  const LogRecord log = store.log(1);
  CHECK(log.head == 10'000);
  CHECK(log.first > 5000);
  CHECK(log.events == 10'001 - log.first);
  CHECK(store.board.status().dropped.at("drop_oldest") == log.first - 1);
  CHECK(words(store.read({.log = 1, .after = log.first - 5, .filters = {}, .events_max = 1})) ==
        "drop_oldest(" + std::to_string(log.first - 4) + ".." + std::to_string(log.first - 1) +
            ") " + std::to_string(log.first));
}

TEST_SUITE_END();

}  // namespace marram::test
