// A store lives through one power cut after another.  Everything that it has
// acknowledged for a stream with `fsync` must be there each time it comes back.
//
// MARRAM_CRASH_SEED=N runs the life of that seed alone; MARRAM_CRASH_LIVES=N more
// or fewer lives.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "tests/crash/memory_disk.h"
#include "tests/store/committer_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("crash/power_cut");

namespace {

constexpr int kCutsPerLife = 12;
constexpr const char* kTopics[] = {"sync/a", "sync/b", "os/a", "memory/a", "drop/a"};

StoreOptions options_of_life(const TempDir& directory, const std::string& vfs) {
  StreamOptions os{.name = "os", .topics = {"os/#"}, .durability = Durability::Os};
  StreamOptions memory{.name = "memory", .topics = {"memory/#"}, .durability = Durability::Memory};
  StreamOptions drop{.name = "drop", .topics = {"drop/#"}};
  drop.on_full = OnFull::DropOldest;
  auto options = options_in(directory, {os, memory, drop});
  options.max_bytes = 1 << 20;
  options.vfs = vfs;
  return options;
}

// What the store has acknowledged, and has to remember.
struct Acknowledged {
  std::map<Position, std::string> events;          // ids, of fsync streams
  std::map<std::uint32_t, std::uint64_t> cursors;  // of consumer `all`, by log
  std::uint32_t all = 0;                           // its number; 0: not there yet
  WallTime recorded{};
};

class Life {
 public:
  explicit Life(std::uint64_t seed)
      : seed_(seed), random_(seed), disk_("cut" + std::to_string(seed), seed + 1) {}

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
  StoreOptions options() { return options_of_life(directory_, "cut" + std::to_string(seed_)); }

  void work(CommitterFixture& store) {
    while (!disk_.is_cut()) {
      store.clock.pass(std::chrono::milliseconds(random_() % 4));
      switch (random_() % 6) {
        case 0:
          move(store);
          break;
        case 1:
          store.committer->tend(random_() % 2 == 0);
          break;
        case 2:
          if (ack_.all == 0) make_consumer(store);
          break;
        default:
          publish(store);
          break;
      }
      for (const CursorMove& move : store.listener.take_saved()) {
        const LogRecord log = store.log(move.log);
        if (is_sure(log)) ack_.cursors[move.log] = std::max(ack_.cursors[move.log], move.upto);
      }
    }
  }

  static bool is_sure(const LogRecord& log) {
    return log.id.stream == "events" || log.id.stream == "drop";
  }

  void publish(CommitterFixture& store) {
    std::vector<Event> events(1 + random_() % 20);
    for (Event& event : events) {
      event.topic = kTopics[random_() % std::size(kTopics)];
      event.payload.resize(random_() % 8 == 0 ? random_() % 20'000 : random_() % 500, 'p');
    }
    const Published answer = store.submit(events);
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (!answer.results.empty() && !answer.results[i]) continue;
      const EventView& event = answer.batch->events()[i];
      if (!event.topic.starts_with("sync") && !event.topic.starts_with("drop")) continue;
      CHECK(event.recorded > before_);
      ack_.events[event.position] = event.id_text();
      ack_.recorded = event.recorded;
    }
  }

  void make_consumer(CommitterFixture& store) {
    ConsumerRecord record{.name = "all", .filters = {{"#", {}}}};
    record.seen = store.clock.wall();
    store.run(store::PutConsumerCommand{std::move(record), [&](Result<std::uint32_t> no) {
                                          if (no) ack_.all = *no;
                                          // The name is there: the power failed after the commit
                                          // and before the answer.
                                          if (!no && no.error().code == Errc::Exists) ack_.all = 1;
                                        }});
  }

  void move(CommitterFixture& store) {
    const auto logs = store.board.logs();
    if (logs.empty() || ack_.all == 0) return;
    const LogRecord& log = logs[random_() % logs.size()];
    if (log.head > 0) {
      store.run(store::SaveCursorsCommand{{{ack_.all, log.no, 1 + random_() % log.head}}});
    }
  }

  void verify() {
    CommitterFixture store(options());
    REQUIRE(store.opened);
    REQUIRE(store.board.status().quarantined.empty());
    store.committer->close();
    auto connection = store::Connection::open(store.options.data_dir / "marram.db",
                                              store::Access::ReadWrite, store.options.vfs);
    REQUIRE(connection);
    CHECK(connection->text("PRAGMA integrity_check").value() == "ok");
    verify_logs(store, *connection);
    verify_events(*connection);
    verify_cursors(*connection);
    before_ = ack_.recorded;
  }

  void verify_logs(CommitterFixture& store, store::Connection& connection) {
    auto count =
        store::Statement::prepare(connection,
                                  "SELECT count(*), min(position), max(position) FROM event "
                                  "WHERE position BETWEEN ?1 << 40 AND (?1 + 1 << 40) - 1")
            .value();
    for (const LogRecord& log : store.board.logs()) {
      if (log.id.stream == "memory") continue;
      REQUIRE(count.bind(1, std::int64_t{log.no}).step().value());
      const auto stored = static_cast<std::uint64_t>(count.number(0));
      CHECK(stored == log.head - log.first + 1);
      if (stored > 0) {
        CHECK(Position::from_packed(count.number(1)).seq() == log.first);
        CHECK(Position::from_packed(count.number(2)).seq() == log.head);
      }
      count.reset();
    }
  }

  // Each is stored, or was settled and then trimmed, or lies in a gap that says so.
  void verify_events(store::Connection& connection) {
    auto find =
        store::Statement::prepare(connection, "SELECT id FROM events WHERE position = ?1").value();
    auto excuse = store::Statement::prepare(
                      connection,
                      "SELECT EXISTS (SELECT 1 FROM gap WHERE log = ?1 AND ?2 BETWEEN \"from\" AND "
                      "\"to\") OR NOT EXISTS (SELECT 1 FROM log WHERE no = ?1) OR "
                      "(SELECT first FROM log WHERE no = ?1) > ?2 AND NOT EXISTS "
                      "(SELECT 1 FROM consumer LEFT JOIN cursor ON log = ?1 "
                      "AND cursor.consumer = consumer.no WHERE coalesce(upto, 0) < ?2)")
                      .value();
    for (auto entry = ack_.events.begin(); entry != ack_.events.end();) {
      const auto& [position, id] = *entry;
      const bool found = find.bind(1, position.packed()).step().value();
      if (found) CHECK(std::string(find.text(0)) == id);
      find.reset();
      if (found) {
        ++entry;
        continue;
      }
      REQUIRE(excuse.bind(1, std::int64_t{position.log()})
                  .bind(2, static_cast<std::int64_t>(position.seq()))
                  .step()
                  .value());
      CAPTURE(position.log());
      CAPTURE(position.seq());
      CHECK(excuse.number(0) == 1);
      excuse.reset();
      entry = ack_.events.erase(entry);
    }
  }

  void verify_cursors(store::Connection& connection) {
    CHECK(connection
              .number("SELECT count(*) FROM cursor JOIN log ON log.no = cursor.log "
                      "WHERE upto > head AND durability <> 'memory'")
              .value() == 0);
    if (ack_.all != 0) CHECK(connection.number("SELECT no FROM consumer").value() == ack_.all);
    auto find =
        store::Statement::prepare(connection,
                                  "SELECT coalesce((SELECT upto FROM cursor WHERE log = ?1), 0) "
                                  "FROM log WHERE no = ?1")
            .value();
    for (const auto& [log, upto] : ack_.cursors) {
      if (find.bind(1, std::int64_t{log}).step().value()) {
        CHECK(static_cast<std::uint64_t>(find.number(0)) >= upto);
      }
      find.reset();
    }
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  MemoryDisk disk_;
  TempDir directory_;
  Acknowledged ack_;
  WallTime before_{};
};

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("what is acknowledged survives over 500 power cuts, and nothing is damaged") {
  if (std::getenv("MARRAM_CRASH_SEED") != nullptr) {
    Life(number_from("MARRAM_CRASH_SEED", 0)).live();
    return;
  }
  const std::uint64_t lives = number_from("MARRAM_CRASH_LIVES", 44);
  for (std::uint64_t seed = 1; seed <= lives; ++seed) Life(seed).live();
}

TEST_SUITE_END();

}  // namespace marram::test
