#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/store/copy_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/open");

namespace {

Error open_error(const StoreOptions& options) {
  RecordingListener listener;
  auto opened = Store::open(options, listener, Log::none());
  MARRAM_ASSERT(!opened, "the store does not open");
  return opened.error();
}

unsigned mode(const std::filesystem::path& path) {
  struct stat found{};
  MARRAM_ASSERT(::stat(path.c_str(), &found) == 0, "the file is there");
  return found.st_mode & 0777U;
}

void write(const std::filesystem::path& path, std::size_t offset, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  if (!std::filesystem::exists(path)) std::ofstream(path).flush();
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
}

// Of pages, each with 8192 bytes.
void damage(const std::filesystem::path& file, std::size_t first, std::size_t count) {
  write(file, (first - 1) * 8192, std::string(count * 8192, '\xA5'));
}

std::size_t root_page(const std::filesystem::path& file, const std::string& table) {
  return std::stoul(
      sql(file, "SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'")[0]);
}

// Also the settings that last: all is in the database, nothing in the log.
void checkpoint(const std::filesystem::path& file) { sql(file, "PRAGMA wal_checkpoint(TRUNCATE)"); }

}  // namespace

TEST_CASE("a node that gets another id keeps its events, as those of the node it was") {
  TempDir directory;
  StoreOptions options = options_in(directory);
  std::string before;
  {
    TestStore store(options);
    store.put(2);
    before = store.store->node_id();
  }
  options.node_id = "0123456789abcdef0123456789abcdef";
  TestStore store(options);
  store.put(1);

  CHECK(store.store->node_id() == options.node_id);
  const auto logs = store.store->logs();
  REQUIRE(logs.size() == 2);
  CHECK(logs[0].id.origin == before);
  CHECK(logs[0].head == 2);
  CHECK(!logs[0].open);
  CHECK(logs[1].id.origin == options.node_id);
  CHECK(logs[1].open);
}

TEST_CASE("files can be read by their owner only") {
  TempDir directory;
  TestStore store(options_in(directory));
  store.put(1);
  const auto data = directory / "data";

  CHECK(mode(data) == 0700);
  for (const char* const name :
       {"marram.db", "marram.db-wal", "marram.db-shm", "marram.lock", "marram.ballast"}) {
    CHECK(mode(data / name) == 0600);
  }
}

TEST_CASE("a database that others could read is made private") {
  TempDir directory;
  {
    TestStore(options_in(directory)).put(1);
  }
  ::chmod((directory / "data/marram.db").c_str(), 0644);

  TestStore store(options_in(directory));

  CHECK(mode(directory / "data/marram.db") == 0600);
}

TEST_CASE("a second store on the same directory in one process is refused") {
  TempDir directory;
  TestStore store(options_in(directory));

  CHECK(open_error(options_in(directory)).code == Errc::Busy);
  store.store->close();

  TestStore(options_in(directory)).put(1);
}

TEST_CASE("a database of a newer version is refused and stays as it is") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    TestStore(options_in(directory)).put(1);
  }
  sql(file, "PRAGMA user_version = 7");

  const Error error = open_error(options_in(directory));

  CHECK(error.code == Errc::Version);
  CHECK(error.message == "store: cannot open " + file.string() +
                             ": schema 7 is newer than this build (reads 1 to 1); upgrade marram");
  CHECK(sql(file, "PRAGMA user_version")[0] == "7");
}

TEST_CASE("a database of another program is refused and stays as it is") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  std::filesystem::create_directories(file.parent_path());
  sql(file, "CREATE TABLE mine (a)");

  const Error error = open_error(options_in(directory));

  CHECK(error.code == Errc::Io);
  CHECK(error.message.find("another program") != std::string::npos);
  CHECK(sql(file, "SELECT name FROM sqlite_schema") == std::vector<std::string>{"mine"});
  CHECK(sql(file, "PRAGMA journal_mode")[0] == "delete");
}

TEST_CASE("a data_dir that cannot be made is an error with its path") {
  TempDir directory;
  auto options = options_in(directory);
  write(directory / "file", 0, "x");
  options.data_dir = directory / "file";
  CHECK(open_error(options).code == Errc::Io);
  options.data_dir = directory / "file/below";

  const Error error = open_error(options);

  CHECK(error.code == Errc::Io);
  CHECK(error.message.find("file") != std::string::npos);
}

TEST_CASE("a file that is no database is set aside, and the store starts empty") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  write(file, 0, std::string(100'000, '\x5A'));

  TestStore store(options_in(directory));

  const auto status = store.store->status();
  CHECK(status.quarantined.starts_with("marram.db.bad-"));
  CHECK(std::filesystem::file_size(directory / "data" / status.quarantined) == 100'000);
  CHECK(store.put(1)[0] == Position(1, 1));
}

TEST_CASE("a damaged table costs what it held, the rest is salvaged") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    TestStore store(options_in(directory));
    store.put(3000);
    ConsumerRecord record{.name = "c", .filters = {{"a/#", {}}}};
    const auto no = store.put_consumer(record).value();
    store.save({{no, 1, 77}});
  }
  checkpoint(file);
  damage(file, root_page(file, "log"), 1);

  TestStore store(options_in(directory));

  CHECK(store.store->status().quarantined.starts_with("marram.db.bad-"));
  const auto logs = store.store->logs();
  REQUIRE(logs.size() == 1);
  CHECK(logs[0].head == 3000);
  CHECK(logs[0].id.epoch == "salvaged-1");
  CHECK(store.read({.log = 1, .after = 2999, .filters = {}})->batch->size() == 1);
  const auto consumers = store.store->consumers();
  REQUIRE(consumers.size() == 1);
  CHECK(consumers[0].cursors.at(1) == 77);
  CHECK(store.put(1)[0] == Position(2, 1));
}

TEST_CASE("a database that was cut off is set aside, and the beginning is salvaged") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    TestStore(options_in(directory)).put(3000, "a", 400);
  }
  // A short log in front of a long file: the log alone cannot make up for what is cut off.
  {
    TestStore(options_in(directory)).put(1);
  }
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2 / 8192 * 8192);

  TestStore store(options_in(directory));

  CHECK(store.store->status().quarantined.starts_with("marram.db.bad-"));
  CHECK(store.store->status().events > 1000);
  CHECK(store.put(1).size() == 1);
}

TEST_CASE("a damaged page met while reading is repaired while the store runs") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    TestStore(options_in(directory)).put(3000, "a", 400);
  }
  checkpoint(file);
  damage(file, 60, 3);
  TestStore store(options_in(directory));
  REQUIRE(store.store->status().quarantined.empty());
  store.put(10, "a", 400);

  const auto read_all = [&](std::vector<Gap>& gaps) -> Result<std::uint64_t> {
    std::uint64_t count = 0;
    for (std::uint64_t after = 0; after < 3000;) {
      auto read = store.read({.log = 1, .after = after, .filters = {}});
      if (!read) return tl::unexpected(read.error());
      count += read->batch->size();
      gaps.insert(gaps.end(), read->gaps.begin(), read->gaps.end());
      after = read->upto;
    }
    return count;
  };
  std::vector<Gap> gaps;
  const auto first = read_all(gaps);
  REQUIRE_FALSE(first);
  CHECK(first.error().code == Errc::Corrupt);
  store.put(10, "a", 400);  // behind the repair, which the reader has asked for
  gaps.clear();
  const auto second = read_all(gaps);

  REQUIRE(second);
  CHECK(store.store->status().quarantined.starts_with("marram.db.bad-"));
  CHECK(*second > 2800);
  CHECK(*second < 3000);
  REQUIRE_FALSE(gaps.empty());
  std::uint64_t missing = 0;
  for (const Gap& gap : gaps) {
    CHECK(gap.reason == "corrupt");
    missing += gap.to - gap.from + 1;
  }
  CHECK(missing == 3000 - *second);
  CHECK(store.store->status().dropped.at("corrupt") == missing);
  CHECK(store.listener.told().events().size() == 20);
}

TEST_CASE("a repair that a crash has interrupted is ended at the next start") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    TestStore(options_in(directory)).put(5);
  }
  checkpoint(file);
  std::filesystem::rename(file, directory / "data/marram.db.salvage");
  write(directory / "data/marram.db-wal", 0, std::string(100'000, '\x5A'));

  TestStore store(options_in(directory));

  CHECK(store.store->logs().at(0).head == 5);
}

TEST_CASE("a damaged copy claims no more than what reads of it, holds stay") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    CommitterFixture store(options_in(directory));
    store.write(stretch(foreign(), 0, 3000, {from_to(1, 3000), "a", 400}));
    auto filtered = stretch({"far", "1-aa", "other"}, 0, 300, {from_to(1, 290), "a", 400});
    filtered.whole_from = 0;
    filtered.filters = {{{"a", 1}}};
    store.write(std::move(filtered));
    REQUIRE(store.ask(store::PutHoldCommand{{"b", "events", {}, {{1, 77}}}, {}}));
    store.committer->close();
  }
  checkpoint(file);
  damage(file, 60, 3);
  {
    TestStore store(options_in(directory));
    CHECK_FALSE(store.read(
        {.log = 1, .after = 0, .filters = {}, .events_max = 3000, .bytes_max = 100 << 20}));
    store.put(1);  // behind the repair, which the reader has asked for
  }

  CommitterFixture store(options_in(directory));

  const LogRecord log = store.log(1);
  CHECK(log.head == 3000);
  CHECK(log.whole_from > 1);
  CHECK(log.whole_from < 3000);
  CHECK(log.events < 3000);
  const auto read =
      store.read({.log = 1, .after = 0, .filters = {}, .events_max = 3000, .bytes_max = 100 << 20});
  REQUIRE(read);
  CHECK(read->gaps.empty());
  CHECK(read->batch->size() == log.events);
  CHECK(read->batch->events().back().position.seq() == 3000);
  std::uint64_t expected = 3000;
  for (auto event = read->batch->events().rbegin(); event->position.seq() >= log.whole_from;
       ++event) {
    REQUIRE(event->position.seq() == expected--);
  }
  CHECK(expected == log.whole_from - 1);
  CHECK(store.log(2).filters == std::vector<CopyFilter>{{"a", 1}});
  CHECK(store.committer->mesh_records().holds.at(0).acked.at(1) == 77);
}

TEST_CASE("a copy whose end is damaged is asked for again from where it reads") {
  TempDir directory;
  const auto file = directory / "data/marram.db";
  {
    CommitterFixture store(options_in(directory));
    store.write(stretch(foreign(), 0, 3000, {from_to(1, 3000), "a", 400}));
    auto filtered = stretch({"far", "1-aa", "other"}, 0, 3000, {from_to(1, 3000), "a", 400});
    filtered.whole_from = 0;
    filtered.filters = {{{"a", 1}}};
    filtered.begin_backfill = {.from = 1, .to = 9, .upto = 8, .filters = {}};
    store.write(std::move(filtered));
    store.committer->close();
  }
  sql(file, "DELETE FROM event WHERE position > (2 << 40) AND position < (2 << 40 | 1000)");
  sql(file, "DELETE FROM event WHERE position > (1 << 40 | 2000) AND position < (2 << 40)");
  checkpoint(file);
  damage(file, root_page(file, "dropped"), 1);

  CommitterFixture store(options_in(directory));

  REQUIRE_FALSE(store.board.status().quarantined.empty());
  CHECK(store.log(1).head == 2000);
  CHECK(store.log(1).whole_from == 1);
  CHECK(store.log(2).head == 3000);
  CHECK(store.log(2).filters == std::vector<CopyFilter>{{"a", 3001}});
  CHECK(store.committer->mesh_records().backfills.at(2).upto == 0);
  CHECK(store.write(whole(foreign(), 2000, 2010)).value() == 1);
}

TEST_SUITE_END();

}  // namespace marram::test
