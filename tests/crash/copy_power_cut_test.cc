#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "tests/crash/memory_disk.h"
#include "tests/store/copy_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("crash/copy_power_cut");

namespace {

constexpr int kCutsPerLife = 12;
constexpr std::uint64_t kFilteredAfter = 50;

// What the far node wrote: of `whole` everything but some gaps is copied, of `filtered` what
// matches above 50, and from behind all of 1 to 50.
const LogId kWhole = foreign();
const LogId kFiltered = {"far", "1-aa", "other"};

bool lost(std::uint64_t seq) { return seq % 17 == 5; }
bool matches(std::uint64_t seq) { return seq % 3 == 0; }

// What the store has acknowledged, and has to remember.
struct Acknowledged {
  std::uint64_t whole = 0;
  std::uint64_t filtered = 0;
  std::uint64_t backfill = 0;
  bool hold = false;
  std::uint64_t held_least = 0;
  std::uint64_t held_most = 0;
};

class Life {
 public:
  explicit Life(std::uint64_t seed) : seed_(seed), random_(seed), disk_(vfs(), seed + 1) {}

  void live() {
    for (int cut = 0; cut < kCutsPerLife; ++cut) {
      CAPTURE(seed_);
      CAPTURE(cut);
      disk_.cut_after(1 + random_() % (cut % 3 == 0 ? 60 : 400));
      {
        CommitterFixture store(options());
        if (store.opened) work(store);
        REQUIRE((store.opened.has_value() || disk_.is_cut()));
      }
      disk_.restore_power();
      verify();
    }
  }

 private:
  std::string vfs() const { return "copy_cut" + std::to_string(seed_); }

  StoreOptions options() {
    auto options = options_in(directory_);
    options.vfs = vfs();
    return options;
  }

  void work(CommitterFixture& store) {
    while (!disk_.is_cut()) {
      store.clock.pass(std::chrono::milliseconds(random_() % 4));
      switch (random_() % 7) {
        case 0:
          store.committer->tend(random_() % 2 == 0);
          break;
        case 1:
          store.submit(1 + random_() % 5, "mine");
          break;
        case 2:
          hold(store);
          break;
        case 3:
          fill(store);
          break;
        case 4:
          copy_filtered(store);
          break;
        default:
          copy_whole(store);
          break;
      }
    }
  }

  static std::optional<LogRecord> find(CommitterFixture& store, const LogId& id) {
    for (const LogRecord& log : store.board.logs()) {
      if (log.id == id) return log;
    }
    return {};
  }
  static std::uint64_t head(CommitterFixture& store, const LogId& id, std::uint64_t otherwise) {
    const auto log = find(store, id);
    return log ? log->head : otherwise;
  }

  void copy_whole(CommitterFixture& store) {
    const std::uint64_t after = head(store, kWhole, 0);
    auto write = stretch(kWhole, after, after + 1 + random_() % 40, {});
    Seqs seqs{{}, "a", random_() % 400};
    for (std::uint64_t seq = after + 1; seq <= write.upto; ++seq) {
      if (lost(seq)) write.gaps.push_back({0, seq, seq, "lost"});
      if (!lost(seq)) seqs.list.push_back(seq);
    }
    write.events = events_at(seqs);
    const std::uint64_t upto = write.upto;
    if (store.write(std::move(write))) ack_.whole = upto;
  }

  void copy_filtered(CommitterFixture& store) {
    const std::uint64_t after = head(store, kFiltered, kFilteredAfter);
    auto write = stretch(kFiltered, after, after + 1 + random_() % 40, {});
    Seqs seqs{{}, "a", random_() % 400};
    for (std::uint64_t seq = after + 1; seq <= write.upto; ++seq) {
      if (matches(seq)) seqs.list.push_back(seq);
    }
    write.events = events_at(seqs);
    if (!find(store, kFiltered)) {
      write.whole_from = 0;
      write.filters = {{{"a", kFilteredAfter + 1}}};
      write.begin_backfill = {.from = 1, .to = kFilteredAfter, .upto = 0, .filters = {}};
    }
    const std::uint64_t upto = write.upto;
    if (store.write(std::move(write))) ack_.filtered = upto;
  }

  void fill(CommitterFixture& store) {
    const auto log = find(store, kFiltered);
    if (!log) return;
    const auto backfills = backfills_of(store);
    const auto under_way = backfills.find(log->no);
    if (under_way == backfills.end() || under_way->second.upto == kFilteredAfter) return;
    const std::uint64_t after = under_way->second.upto;
    const std::uint64_t upto = std::min(kFilteredAfter, after + 1 + random_() % 9);
    auto write = stretch(kFiltered, after, upto, {from_to(after + 1, upto), "b"});
    write.backfill = true;
    if (store.write(std::move(write))) ack_.backfill = upto;
  }

  // After a failed disk the committer has nothing to say.
  std::map<std::uint32_t, BackfillRecord> backfills_of(CommitterFixture& store) const {
    if (!store.board.status().failure.empty()) return {};
    return store.committer->mesh_records().backfills;
  }

  void hold(CommitterFixture& store) {
    const auto log = find(store, kWhole);
    if (!log) return;
    const std::uint64_t acked = random_() % (log->head + 1);
    ack_.held_most = std::max(ack_.held_most, acked);
    if (random_() % 2 == 0) {
      store.run(store::MoveHoldsCommand{{{"b", "events", log->no, acked}}, store.clock.wall()});
      return;
    }
    // It may be stored without an answer.
    ack_.held_least = std::min(ack_.held_least, acked);
    if (!store.ask(store::PutHoldCommand{{"b", "events", {}, {{log->no, acked}}}, {}})) return;
    ack_.hold = true;
    ack_.held_least = acked;
  }

  void verify() {
    CommitterFixture store(options());
    REQUIRE(store.opened);
    REQUIRE(store.board.status().quarantined.empty());
    verify_whole(store);
    verify_filtered(store);
    const auto holds = store.committer->mesh_records().holds;
    if (ack_.hold) REQUIRE(holds.size() == 1);
    const auto whole = find(store, kWhole);
    for (const HoldRecord& hold : holds) {
      REQUIRE(whole);
      CHECK(hold.acked.at(whole->no) >= ack_.held_least);
      CHECK(hold.acked.at(whole->no) <= ack_.held_most);
      // Logs made since the hold are held from their beginning.
      for (const auto& [log, acked] : hold.acked) CHECK((log == whole->no || acked == 0));
    }
    store.committer->close();
  }

  static std::string all_of(CommitterFixture& store, std::uint32_t log) {
    std::string all;
    std::uint64_t after = 0;
    for (bool more = true; more;) {
      const auto read = store.read({.log = log, .after = after, .filters = {}});
      REQUIRE(read);
      more = read->upto > after;
      after = read->upto;
      const std::string part = words(read);
      all += (all.empty() || part.empty() ? "" : " ") + part;
    }
    return all;
  }

  // The copy's upto is as far as its events and gaps, and as what was acknowledged.
  void verify_whole(CommitterFixture& store) {
    CHECK(head(store, kWhole, 0) >= ack_.whole);
    const auto log = find(store, kWhole);
    if (!log) return;
    std::string expected;
    for (std::uint64_t seq = 1; seq <= log->head; ++seq) {
      const std::string text = std::to_string(seq);
      expected += (seq == 1 ? "" : " ") + (lost(seq) ? "lost(" + text + ".." + text + ")" : text);
    }
    CHECK(all_of(store, log->no) == expected);
    CHECK(log->head_id == (lost(log->head) ? "" : "e-" + std::to_string(log->head)));
  }

  void verify_filtered(CommitterFixture& store) {
    CHECK(head(store, kFiltered, 0) >= ack_.filtered);
    const auto log = find(store, kFiltered);
    if (!log) return;
    const BackfillRecord backfill = store.committer->mesh_records().backfills.at(log->no);
    CHECK(backfill.upto >= ack_.backfill);
    std::string expected;
    std::uint64_t events = 0;
    for (std::uint64_t seq = 1; seq <= log->head; ++seq) {
      if (seq <= kFilteredAfter ? seq > backfill.upto : !matches(seq)) continue;
      expected += (expected.empty() ? "" : " ") + std::to_string(seq);
      ++events;
    }
    CHECK(all_of(store, log->no) == expected);
    CHECK(log->events == events);
    CHECK(log->filters.size() == 1);
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  MemoryDisk disk_;
  TempDir directory_;
  Acknowledged ack_;
};

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("no copy says that it has more than it has, over 250 power cuts, and none has less") {
  if (std::getenv("MARRAM_CRASH_SEED") != nullptr) {
    Life(number_from("MARRAM_CRASH_SEED", 0)).live();
    return;
  }
  const std::uint64_t lives = number_from("MARRAM_CRASH_LIVES", 22);
  for (std::uint64_t seed = 1; seed <= lives; ++seed) Life(seed).live();
}

TEST_SUITE_END();

}  // namespace marram::test
