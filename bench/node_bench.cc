// Embedded Node::publish from 1, 4 and 16 threads, against raw SQLite that puts as many
// events into a transaction as the node did in the same run.
//
//     marram_node_bench [--seconds 2] [--rounds 3] [--dir DIR]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/raw_sqlite.h"
#include "core/base/assert.h"
#include "core/node/node.h"

namespace marram {
namespace {

constexpr std::size_t kPayloadBytes = 256;

struct Plan {
  std::string directory = "/tmp/marram-node-bench";
  double seconds = 2;
  int rounds = 3;
};

struct Measured {
  double rate = 0;
  double per_commit = 1;
};

Measured run_node(const Plan& plan, int publishers) {
  std::filesystem::remove_all(plan.directory);
  auto node = std::move(
      *Node::open({.name = "bench", .data_dir = plan.directory, .max_bytes = 8ull << 30}));
  // The write-ahead log grows to its size before time is taken, as in the raw run.
  const std::vector<Event> many(
      1000, {.topic = "plant/1/line/7/temperature", .payload = std::string(kPayloadBytes, 'p')});
  for (int i = 0; i < 30; ++i) MARRAM_ASSERT(node->publish_many(many), "a new node accepts");

  const auto commits = [&] {
    const auto store = nlohmann::json::parse(*node->status_json())["store"];
    return std::pair{store["appended"].get<double>(), store["commits"].get<double>()};
  };
  const auto [appended, committed] = commits();
  const auto begun = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  std::atomic<std::uint64_t> count = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < publishers; ++t) {
      threads.emplace_back([&] {
        std::uint64_t mine = 0;
        for (; elapsed() < plan.seconds; ++mine) {
          MARRAM_ASSERT(node->publish(many.front()), "a node with room accepts");
        }
        count += mine;
      });
    }
  }
  Measured measured{.rate = static_cast<double>(count) / elapsed()};
  const auto [appended_now, committed_now] = commits();
  measured.per_commit = (appended_now - appended) / (committed_now - committed);
  node->close();
  std::filesystem::remove_all(plan.directory);
  return measured;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const Plan& plan, int publishers) {
  std::vector<double> node;
  std::vector<double> raw;
  std::vector<double> ratios;
  double per_commit = 1;
  for (int round = 0; round < plan.rounds; ++round) {
    const Measured measured = run_node(plan, publishers);
    per_commit = measured.per_commit;
    const auto group = static_cast<std::size_t>(std::max(1.0, std::round(per_commit)));
    node.push_back(measured.rate);
    raw.push_back(raw_rate({plan.directory, kPayloadBytes, group, plan.seconds}));
    ratios.push_back(node.back() / raw.back());
  }
  fmt::print("| {} | {:.1f} | {:.0f} | {:.0f} | {:.2f} |\n", publishers, per_commit, median(raw),
             median(node), median(ratios));
  std::fflush(stdout);
}

}  // namespace
}  // namespace marram

int main(int argc, char** argv) {
  marram::Plan plan;
  CLI::App app("Node::publish against raw SQLite with the same grouping");
  app.add_option("--dir", plan.directory, "is emptied")->capture_default_str();
  app.add_option("--seconds", plan.seconds, "of each run")->capture_default_str();
  app.add_option("--rounds", plan.rounds)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  fmt::print(
      "| threads | events a commit | raw /s | publish /s | ratio |\n"
      "| --- | --- | --- | --- | --- |\n");
  for (const int publishers : {1, 4, 16}) marram::compare(plan, publishers);
  return 0;
}
