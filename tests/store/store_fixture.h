// What the tests of the store share: a directory of their own, a listener that
// remembers, and blocking calls.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/assert.h"
#include "core/base/mailbox.h"
#include "core/store/store.h"

namespace marram::test {

// Removed with all that is in it.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "marram-XXXXXX").string();
    MARRAM_ASSERT(::mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// What a StoreListener was told, in order.
struct Told {
  std::vector<LogRecord> opened;
  std::vector<EventBatchPtr> batches;
  std::vector<CursorMove> saved;
  struct Trim {
    std::uint32_t log;
    std::uint64_t first;
    Gap gap;
    std::uint64_t owed;
  };
  std::vector<Trim> trims;
  // Of copies, as words: "opened 1 0", "events 1 3..7", "copied 1 10", "gap 8..9 lost",
  // "backfilled 1 5", "backfilled 1 -", "forgotten 1".
  std::vector<std::string> copies;
  std::vector<LogRecord> copied;

  std::vector<const EventView*> events() const {
    std::vector<const EventView*> all;
    for (const EventBatchPtr& batch : batches) {
      for (const EventView& event : batch->events()) all.push_back(&event);
    }
    return all;
  }
};

class RecordingListener : public StoreListener {
 public:
  void on_committed(EventBatchPtr batch) override {
    const Position first = batch->events().front().position;
    const std::string words = "events " + std::to_string(first.log()) + " " +
                              std::to_string(first.seq()) + ".." +
                              std::to_string(batch->events().back().position.seq());
    told_.with([&](Told& told) {
      told.batches.push_back(std::move(batch));
      told.copies.push_back(words);
    });
  }
  void on_log_opened(const LogRecord& log) override {
    note("opened", log.no, std::to_string(log.head));
    told_.with([&](Told& told) { told.opened.push_back(log); });
  }
  void on_copied(const LogRecord& log, const std::vector<Gap>& gaps) override {
    note("copied", log.no, std::to_string(log.head));
    for (const Gap& gap : gaps) {
      note("gap", gap.log,
           std::to_string(gap.from) + ".." + std::to_string(gap.to) + " " + gap.reason);
    }
    told_.with([&](Told& told) { told.copied.push_back(log); });
  }
  void on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill) override {
    note("backfilled", log.no, backfill ? std::to_string(backfill->upto) : "-");
  }
  void on_log_forgotten(std::uint32_t log) override { note("forgotten", log, ""); }
  void on_cursors_saved(std::vector<CursorMove> moves) override {
    told_.with(
        [&](Told& told) { told.saved.insert(told.saved.end(), moves.begin(), moves.end()); });
    saved_.post(0);
  }
  void on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                  std::uint64_t owed) override {
    told_.with([&](Told& told) { told.trims.push_back({log, first, gap, owed}); });
  }

  std::vector<std::string> take_copies() {
    return told_.with([](Told& told) { return std::exchange(told.copies, {}); });
  }
  std::vector<CursorMove> take_saved() {
    return told_.with([](Told& told) { return std::exchange(told.saved, {}); });
  }
  Told told() {
    return told_.with([](Told& told) { return told; });
  }
  // Until on_cursors_saved() has been called since the last time.
  bool wait_saved() {
    std::vector<int> calls;
    while (!saved_.take(calls)) {
      if (!saved_.wait(std::chrono::seconds(20))) return false;
    }
    return true;
  }

 private:
  void note(const std::string& what, std::uint32_t log, const std::string& rest) {
    const std::string words = what + " " + std::to_string(log) + (rest.empty() ? "" : " ") + rest;
    told_.with([&](Told& told) { told.copies.push_back(words); });
  }

  Guarded<Told> told_;
  Mailbox<int> saved_;
};

// A store in `directory` and what belongs to it.
class TestStore {
 public:
  explicit TestStore(StoreOptions options, const Clock& clock = Clock::system()) {
    auto opened = Store::open(std::move(options), listener, Log::none(), clock);
    MARRAM_ASSERT(opened.has_value(), "the store of a test opens");
    store = std::move(*opened);
  }

  // Submits, waits, returns the answer.
  Published submit(const std::vector<Event>& events);
  // As submit(), and all are stored.
  std::vector<Position> put(const std::vector<Event>& events);
  std::vector<Position> put(std::size_t count, const std::string& topic = "a/b",
                            std::size_t payload_bytes = 16);
  Result<std::uint32_t> put_consumer(ConsumerRecord record);
  Status remove_consumer(std::uint32_t no);
  Result<ReadResult> read(Store::ReadRequest request);
  Result<std::uint64_t> find_time(std::uint32_t log, WallTime time);
  void save(std::vector<CursorMove> moves) {
    store->save_cursors(std::move(moves));
    MARRAM_ASSERT(listener.wait_saved(), "moves are saved");
  }

  RecordingListener listener;
  std::unique_ptr<Store> store;

 private:
  UuidMaker ids_;
};

inline StoreOptions options_in(const TempDir& directory, std::vector<StreamOptions> streams = {},
                               Durability durability = Durability::Fsync) {
  StoreOptions options;
  options.data_dir = directory.path() / "data";
  options.streams = *StreamTable::make(std::move(streams), durability);
  options.max_bytes = 64 << 20;
  options.reserve_free_share = 0;
  return options;
}

// Waits for the answer of a call that takes a function.
template <class Value>
class Answer {
 public:
  std::function<void(Value)> taker() {
    return [handoff = handoff_](Value value) { handoff->set(std::move(value)); };
  }
  Value wait() {
    auto value = handoff_->wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(30));
    MARRAM_ASSERT(value.has_value(), "the store answers");
    return std::move(*value);
  }

 private:
  std::shared_ptr<Handoff<Value>> handoff_ = std::make_shared<Handoff<Value>>();
};

// Runs one statement on the file, as a person with the sqlite3 program would, and
// returns the rows, columns apart by '|'.
std::vector<std::string> sql(const std::filesystem::path& file, const std::string& statement);

}  // namespace marram::test
