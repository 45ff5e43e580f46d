#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/crash/memory_disk.h"
#include "tests/store/copy_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("crash/failed_write");

namespace {

StoreOptions options_on(const std::string& vfs, const TempDir& directory) {
  auto options = options_in(directory);
  options.max_bytes = 8 << 20;
  options.vfs = vfs;
  return options;
}

std::vector<std::int64_t> stored(CommitterFixture& store) {
  auto connection = store::Connection::open(store.options.data_dir / "marram.db",
                                            store::Access::ReadWrite, store.options.vfs)
                        .value();
  auto select = store::Statement::prepare(connection, "SELECT position FROM event").value();
  std::vector<std::int64_t> positions;
  while (select.step().value()) positions.push_back(select.number(0));
  return positions;
}

std::vector<std::int64_t> told(CommitterFixture& store) {
  const auto all = store.listener.told();
  std::vector<std::int64_t> positions;
  for (const EventView* const event : all.events()) positions.push_back(event->position.packed());
  return positions;
}

}  // namespace

TEST_CASE("after a failed sync nothing is acknowledged, and a new epoch begins") {
  TempDir directory;
  MemoryDisk disk("failed_sync", 1);
  CommitterFixture store(options_on("failed_sync", directory));
  store.submit(5, "a");
  disk.fail_syncs(1);

  const Published answer = store.submit(3, "a");
  const Published next = store.submit(2, "a");

  REQUIRE(answer.results.size() == 3);
  for (const Status& status : answer.results) CHECK(status.error().code == Errc::Io);
  CHECK(answer.batch->events()[0].position == Position());
  CHECK(next.results.empty());
  CHECK(next.batch->events()[0].position == Position(2, 1));
  CHECK(store.board.status().failure.empty());
  const auto logs = store.board.logs();
  REQUIRE(logs.size() == 2);
  CHECK_FALSE(logs[0].open);
  CHECK(logs[1].open);
  CHECK(logs[0].id.epoch != logs[1].id.epoch);
  // What turned out to be stored all the same has been told too, once and in order.
  const auto positions = told(store);
  CHECK(std::is_sorted(positions.begin(), positions.end()));
  store.committer->close();
  CHECK(stored(store) == positions);
}

TEST_CASE("while the disk fails everything is refused, and it goes on by itself") {
  TempDir directory;
  MemoryDisk disk("failing", 1);
  CommitterFixture store(options_on("failing", directory));
  store.submit(5, "a");
  const auto no = store.put_consumer("c", {{"#", {}}});
  disk.fail_syncs(1000);

  for (int i = 0; i < 5; ++i) CHECK_FALSE(store.submit(1, "a").results.at(0));
  CHECK_FALSE(store.board.status().failure.empty());
  Status removed;
  store.run(store::RemoveConsumerCommand{no, [&](Status status) { removed = status; }});
  CHECK(removed.error().code == Errc::Io);
  store.run(store::SaveCursorsCommand{{{no, 1, 4}}});
  disk.fail_syncs(0);
  CHECK_FALSE(store.submit(1, "a").results.empty());  // the next try is a second later

  store.rest(std::chrono::seconds(2));

  CHECK(store.submit(1, "a").results.empty());
  CHECK(store.board.status().failure.empty());
  REQUIRE(store.listener.told().saved.size() == 1);
  store.committer->close();
  const auto consumers = CommitterFixture(options_on("failing", directory)).committer->consumers();
  REQUIRE(consumers.size() == 1);
  CHECK(consumers[0].cursors.at(1) == 4);
}

TEST_CASE("on a disk that is full to the last byte nothing acknowledged is lost") {
  TempDir directory;
  MemoryDisk disk("full", 1);
  std::set<std::string> acknowledged;
  const auto submit = [&](CommitterFixture& store) {
    const Published answer = store.submit(10, "a", 1000);
    for (const EventView& event : answer.batch->events()) {
      if (answer.results.empty()) acknowledged.insert(event.id_text());
    }
    if (!answer.results.empty()) CHECK(answer.results[0].error().code == Errc::Full);
    store.clock.pass(std::chrono::milliseconds(30));
    store.committer->tend(true);
    return answer.results.empty();
  };
  {
    CommitterFixture store(options_on("full", directory));
    store.put_consumer("c", {{"#", {}}});  // without it, all is history that makes room
    for (int i = 0; i < 5; ++i) CHECK(submit(store));
    disk.set_full(true);
    int refused = 0;
    for (int i = 0; i < 200; ++i) refused += submit(store) ? 0 : 1;
    CHECK(refused > 0);

    disk.set_full(false);
    store.rest(std::chrono::seconds(2));
    CHECK(submit(store));
    store.committer->close();
  }

  CommitterFixture store(options_on("full", directory));

  std::size_t found = 0;
  for (const LogRecord& log : store.board.logs()) {
    for (std::uint64_t after = 0; after < log.head;) {
      const auto read = store.read({.log = log.no, .after = after, .filters = {}});
      REQUIRE(read);
      CHECK(read->gaps.empty());
      for (const EventView& event : read->batch->events())
        found += acknowledged.erase(event.id_text());
      after = read->upto;
    }
  }
  CHECK(acknowledged.empty());
  CHECK(found > 50);
}

TEST_CASE("a disk that stays full says so once a minute, and what is stored can be read") {
  TempDir directory;
  MemoryDisk disk("stays", 1);
  ErrorLog errors;
  CommitterFixture store(options_on("stays", directory), errors);
  const auto consumer = store.put_consumer("c", {{"#", {}}});
  for (int i = 0; i < 5; ++i) REQUIRE(store.submit(10, "a", 1000).results.empty());
  disk.set_full(true);

  for (std::uint64_t upto = 0; upto < 50; ++upto) {
    store.submit(10, "a", 1000);
    store.move(consumer, 1, upto);
    store.rest(std::chrono::seconds(1));
    CHECK(store.read({.log = 1, .after = upto, .filters = {}})->batch->size() >= 50 - upto);
  }

  CHECK(errors.all.size() == 1);
  disk.set_full(false);
  store.rest(std::chrono::seconds(2));
  CHECK(store.submit(10, "a", 1000).results.empty());
  CHECK_FALSE(store.board.status().full);
}

TEST_CASE("a disk that fails again and again is opened once a second") {
  TempDir directory;
  MemoryDisk disk("often", 1);
  CommitterFixture store(options_on("often", directory));
  disk.fail_syncs(1);
  CHECK_FALSE(store.submit(1, "a").results.empty());
  CHECK(store.board.status().failure.empty());

  disk.fail_syncs(1);
  CHECK_FALSE(store.submit(1, "a").results.empty());
  CHECK_FALSE(store.board.status().failure.empty());
  CHECK_FALSE(store.submit(1, "a").results.empty());
  CHECK(store.committer->tend(true) == std::chrono::seconds(1));

  store.rest(std::chrono::seconds(1));

  CHECK(store.submit(1, "a").results.empty());
}

TEST_CASE("a copy whose sync fails is not answered as stored, and how it stands is told") {
  TempDir directory;
  MemoryDisk disk("failed_copy", 1);
  CommitterFixture store(options_on("failed_copy", directory));
  store.submit(1, "a");
  REQUIRE(store.write(whole(foreign(), 0, 5)));
  store.run(store::SetPinsCommand{{{2, 3}}});
  store.listener.take_copies();
  disk.fail_syncs(1);

  const auto answer = store.write(whole(foreign(), 5, 9));

  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::Io);
  const std::uint64_t head = store.log(2).head;
  CHECK((head == 5 || head == 9));
  const auto copies = store.listener.take_copies();
  const auto was_told = [&](const std::string& word) {
    return std::find(copies.begin(), copies.end(), word) != copies.end();
  };
  CHECK(was_told("copied 1 1"));  // of this run, and closed now
  CHECK(was_told("events 2 6..9") == (head == 9));
  CHECK(was_told("copied 2 9") == (head == 9));
  CHECK(store.write(whole(foreign(), head, 12)).value() == 2);
  CHECK(words(store.read({.log = 2, .after = 0, .filters = {}})) == "1 2 3 4 5 6 7 8 9 10 11 12");
  CHECK(store.submit(1, "a").batch->events()[0].position == Position(3, 1));
}

TEST_CASE("copies in memory are forgotten when the disk fails, and begin anew") {
  TempDir directory;
  MemoryDisk disk("failed_memory", 1);
  auto options =
      options_in(directory, {{.name = "fast", .topics = {"f"}, .durability = Durability::Memory}});
  options.vfs = "failed_memory";
  CommitterFixture store(std::move(options));
  REQUIRE(store.write(whole(foreign("fast"), 0, 5)));
  store.listener.take_copies();
  disk.fail_syncs(1);

  CHECK_FALSE(store.submit(1, "a").results.empty());

  const auto copies = store.listener.take_copies();
  CHECK(std::find(copies.begin(), copies.end(), "forgotten 1") != copies.end());
  CHECK_FALSE(store.board.log(1));
  CHECK(store.write(whole(foreign("fast"), 5, 6)).value() > 1);
}

TEST_SUITE_END();

}  // namespace marram::test
