// A disk that is really full: a tmpfs of a few MiB.  Needs the right to mount one.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "tests/store/committer_fixture.h"
#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/small_disk");

namespace {

using namespace std::chrono_literals;

class SmallDisk {
 public:
  SmallDisk()
      : mounted_(::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "size=12m") == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool is_there() const {
    if (!mounted_) MESSAGE("skipped: this user may not mount a tmpfs");
    return mounted_;
  }
  const TempDir& directory() const { return directory_; }
  // More than fits.
  StoreOptions options(double reserve_free_share = 0) const {
    StoreOptions options = options_in(directory_);
    options.max_bytes = std::uint64_t{1} << 30;
    options.reserve_free_share = reserve_free_share;
    return options;
  }

  // Fills up what is free, but for `bytes`.
  void fill(std::uint64_t bytes) {
    const auto free = std::filesystem::space(directory_.path()).available;
    std::ofstream file(directory_ / "other", std::ios::binary | std::ios::app);
    file << std::string(free > bytes ? free - bytes : 0, 'x') << std::flush;
  }
  void empty() { std::filesystem::remove(directory_ / "other"); }

 private:
  TempDir directory_;
  bool mounted_;
};

}  // namespace

TEST_CASE("a disk that others fill up: refused, nothing lost, and it goes on by itself") {
  SmallDisk disk;
  if (!disk.is_there()) return;
  for (const double reserve : {0.1, 0.0}) {
    const StoreOptions options = disk.options(reserve);
    std::size_t stored = 0;
    std::size_t refused = 0;
    {
      TestStore store(options);
      REQUIRE(store.put_consumer({.name = "c" + std::to_string(reserve),
                                  .filters = {{"#", {}}},
                                  .seen = Clock::system().wall()}));
      const auto submit = [&] {
        const auto answer =
            store.submit(std::vector<Event>(20, {.topic = "a", .payload = std::string(1000, 'x')}));
        for (std::size_t i = 0; i < 20; ++i) {
          const bool ok = answer.results.empty() || answer.results[i].has_value();
          if (!ok) CHECK(answer.results[i].error().code == Errc::Full);
          ++(ok ? stored : refused);
        }
        return answer.results.empty();
      };
      REQUIRE(submit());
      disk.fill(0);
      for (int i = 0; i < 1000 && refused == 0; ++i) submit();
      CHECK(refused > 0);

      disk.empty();
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      bool again = false;
      while (!again && std::chrono::steady_clock::now() < deadline) again = submit();
      CHECK(again);
      CHECK(store.store->status().failure.empty());
    }

    TestStore store(options);
    CHECK(store.store->status().events >= stored);
    CHECK(store.store->status().quarantined.empty());
    for (const ConsumerRecord& consumer : store.store->consumers()) {
      CHECK(store.remove_consumer(consumer.no));
    }
  }
}

TEST_CASE("a start on a full disk: what is stored can be read, and new events are refused") {
  SmallDisk disk;
  if (!disk.is_there()) return;
  const StoreOptions options = disk.options();
  const std::vector<Event> events(20, {.topic = "a", .payload = std::string(1000, 'x')});
  std::size_t stored = 0;
  {
    TestStore store(options);
    REQUIRE(
        store.put_consumer({.name = "c", .filters = {{"#", {}}}, .seen = Clock::system().wall()}));
    for (int i = 0; i < 50; ++i) {
      REQUIRE(store.submit(events).results.empty());
      stored += events.size();
    }
    disk.fill(0);
    while (store.submit(events).results.empty()) stored += events.size();
  }
  disk.fill(0);

  TestStore store(options);

  const auto logs = store.store->logs();
  REQUIRE_FALSE(logs.empty());
  CHECK(logs[0].head >= stored);
  const auto read = store.read({.log = logs[0].no, .after = 0, .filters = {}});
  REQUIRE(read);
  CHECK(read->batch->size() > 0);
  // What the files have room for is taken, not more.
  bool refused = false;
  for (int i = 0; i < 1000 && !refused; ++i) refused = !store.submit(events).results.empty();
  CHECK(refused);

  disk.empty();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool again = false;
  while (!again && std::chrono::steady_clock::now() < deadline) {
    again = store.submit(events).results.empty();
  }
  CHECK(again);
}

// The disk is asked five times a second; here no time passes at all.
TEST_CASE("a fast publisher leaves free what is to be left free") {
  SmallDisk disk;
  if (!disk.is_there()) return;
  CommitterFixture store(disk.options(0.1));
  REQUIRE(store.opened);
  store.put_consumer("c", {{"#", {}}});

  std::uint64_t stored = 0;
  std::string why;
  for (int i = 0; i < 100'000 && why.empty(); ++i) {
    const auto answer = store.submit(1, "a", 2000);
    store.committer->tend(false);
    if (answer.results.empty()) ++stored;
    if (!answer.results.empty()) why = answer.results[0].error().message;
  }
  store.rest(100ms);

  CHECK_MESSAGE(why.find("reserve_free") != std::string::npos, why);
  CHECK(stored > 1000);
  CHECK(std::filesystem::space(disk.directory().path()).available > 1'000'000);
  CHECK(store.board.status().failure.empty());
  CHECK(store.log(1).open);
  CHECK(store.log(1).head == stored);
}

// They wait in the write-ahead log, and the database has no room for them.
TEST_CASE("events for which others left no room are read, and brought home when there is") {
  SmallDisk disk;
  if (!disk.is_there()) return;
  CommitterFixture store(disk.options());
  REQUIRE(store.opened);
  const auto consumer = store.put_consumer("c", {{"#", {}}});
  REQUIRE(store.submit(100, "a", 2000).results.empty());
  const auto file = disk.directory() / "data/marram.db";
  const auto before = std::filesystem::file_size(file);
  disk.fill(0);

  store.rest(1s);
  CHECK(store.board.status().failure.empty());
  CHECK(store.submit(100, "a", 2000).results.size() == 100);
  CHECK(store.log(1).open);
  CHECK(store.read({.log = 1, .after = 0, .filters = {}})->batch->size() == 100);
  for (std::uint64_t upto = 1; upto <= 20; ++upto) store.move(consumer, 1, upto);
  CHECK(store.board.status().failure.empty());
  CHECK(store.log(1).open);

  disk.empty();
  store.rest(1s);
  CHECK(std::filesystem::file_size(file) > before + 100 * 2000);
  CHECK(store.submit(1, "a", 2000).results.empty());
  CHECK(store.log(1).head == 101);
}

TEST_SUITE_END();

}  // namespace marram::test
