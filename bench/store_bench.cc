// The store against raw SQLite with the same grouping, in alternation.
//
//     marram_store_bench [--seconds 2] [--rounds 3] [--payload 256] [--dir DIR]
//
// Raw is bench/raw_sqlite.h; the store adds batches, two threads, positions, room, answers.
// `window` is how many groups are under way at a time: with more than one, the writer may put
// several into one transaction. The last table is the writer's work alone, without threads: its
// processor time.
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/raw_sqlite.h"
#include "core/store/committer.h"
#include "core/store/store.h"

namespace marram {
namespace {

using Seconds = std::chrono::duration<double>;
using SteadyClock = std::chrono::steady_clock;

struct Plan {
  std::string directory = "/tmp/marram-store-bench";
  double seconds = 2;
  int rounds = 3;
  std::size_t payload_bytes = 256;
};

struct Deaf : StoreListener {
  void on_committed(EventBatchPtr) override {}
  void on_log_opened(const LogRecord&) override {}
  void on_cursors_saved(std::vector<CursorMove>) override {}
  void on_trimmed(std::uint32_t, std::uint64_t, const Gap&, std::uint64_t) override {}
};

std::unique_ptr<EventBatch> make_batch(std::size_t count, const std::string& payload,
                                       UuidMaker& ids) {
  auto batch = std::make_unique<EventBatch>();
  EventView event;
  event.topic = "plant/1/line/7/temperature";
  event.payload = payload;
  const WallTime now = Clock::system().wall();
  for (std::size_t i = 0; i < count; ++i) batch->add(event, now, ids);
  return batch;
}

// Events a second through Store::submit, `window` batches of `group` under way.
double run_store(const Plan& plan, std::size_t group, std::size_t window, double* per_commit) {
  std::filesystem::remove_all(plan.directory);
  Deaf deaf;
  StoreOptions options;
  options.data_dir = plan.directory;
  options.max_bytes = std::uint64_t{8} << 30;
  auto store = std::move(Store::open(options, deaf, Log::none()).value());
  auto inbox = std::make_shared<Inbox>();
  UuidMaker ids;
  const std::string payload(plan.payload_bytes, 'p');
  std::vector<Notice> notices;
  std::uint64_t answered = 0;
  std::uint64_t sent = 0;
  const auto begun = SteadyClock::now();
  const auto elapsed = [&] { return Seconds(SteadyClock::now() - begun).count(); };
  while (elapsed() < plan.seconds) {
    while (sent - answered < window) {
      if (!store->submit(make_batch(group, payload, ids), inbox, ++sent)) return 0;
    }
    if (!inbox->take(notices)) inbox->wait({});
    answered += notices.size();
  }
  while (answered < sent) {
    if (!inbox->take(notices)) inbox->wait({});
    answered += notices.size();
  }
  const double rate = static_cast<double>(answered * group) / elapsed();
  const StoreStatus status = store->status();
  *per_commit = static_cast<double>(status.appended) / static_cast<double>(status.commits);
  store->close();
  std::filesystem::remove_all(plan.directory);
  return rate;
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Forgetful : Listener {
  void notify(Notice) override {}
};

// Microseconds of processor time an event and a commit, as the writer thread has them.
void run_writer(const Plan& plan, std::size_t group, std::uint64_t max_bytes) {
  std::filesystem::remove_all(plan.directory);
  std::filesystem::create_directories(plan.directory);
  Deaf deaf;
  StoreOptions options;
  options.data_dir = plan.directory;
  options.streams = *StreamTable::make({}, Durability::Fsync);
  options.max_bytes = max_bytes;
  store::Board board;
  store::Committer committer(options, deaf, Log::none(), Clock::system(), board);
  if (!committer.open()) return;
  UuidMaker ids;
  const std::string payload(plan.payload_bytes, 'p');
  const auto listener = std::make_shared<Forgetful>();
  double used = 0;
  std::size_t commits = 0;
  for (const auto begun = SteadyClock::now();
       Seconds(SteadyClock::now() - begun).count() < plan.seconds; ++commits) {
    store::Command command = store::SubmitCommand{make_batch(group, payload, ids), listener, 0};
    const double before = thread_seconds();
    committer.run({&command, 1});
    committer.tend(false);
    used += thread_seconds() - before;
  }
  const auto all = static_cast<double>(commits);
  fmt::print("| {} | {} | {:.1f} | {:.2f} |\n", group, max_bytes >> 20, used * 1e6 / all,
             used * 1e6 / all / static_cast<double>(group));
  committer.close();
  std::filesystem::remove_all(plan.directory);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const Plan& plan, std::size_t group, std::size_t window) {
  std::vector<double> raw;
  std::vector<double> store;
  std::vector<double> ratios;
  double per_commit = 0;
  for (int round = 0; round < plan.rounds; ++round) {
    // In turns, as machines drift.
    if (round % 2 == 0)
      raw.push_back(raw_rate({plan.directory, plan.payload_bytes, group, plan.seconds}));
    store.push_back(run_store(plan, group, window, &per_commit));
    if (round % 2 != 0)
      raw.push_back(raw_rate({plan.directory, plan.payload_bytes, group, plan.seconds}));
    ratios.push_back(store.back() / raw.back());
  }
  fmt::print("| {} | {} | {:.0f} | {:.0f} | {:.2f} | {:.1f} |\n", group, window, median(raw),
             median(store), median(ratios), per_commit);
}

}  // namespace
}  // namespace marram

int main(int argc, char** argv) {
  marram::Plan plan;
  CLI::App app("The store against raw SQLite with the same grouping");
  app.add_option("--dir", plan.directory, "is emptied")->capture_default_str();
  app.add_option("--seconds", plan.seconds, "of each run")->capture_default_str();
  app.add_option("--rounds", plan.rounds)->capture_default_str();
  app.add_option("--payload", plan.payload_bytes, "bytes")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  fmt::print(
      "| group | window | raw /s | store /s | ratio | events/commit |\n"
      "| --- | --- | --- | --- | --- | --- |\n");
  for (const std::size_t group : {1, 10, 100, 1000}) {
    marram::compare(plan, group, 1);
    marram::compare(plan, group, 4);
  }
  fmt::print(
      "\n| group | max MiB | writer us/commit | writer us/event |\n"
      "| --- | --- | --- | --- |\n");
  for (const std::size_t group : {1, 10, 100, 1000}) {
    marram::run_writer(plan, group, std::uint64_t{8} << 30);
  }
  // Full all the time: each event makes an old one go.
  marram::run_writer(plan, 1000, std::uint64_t{32} << 20);
  return 0;
}
