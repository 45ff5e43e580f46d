// How a mesh grows with its nodes, their logs and the leaves of a hub: the simulator's world,
// in virtual time, with frames that go through bytes.
//
//     marram_growth_bench [--quick] [--nodes 100 --logs 10] [--leaves 1000]
//
// A node dials the one before it and any earlier one, and has written an event into each of
// its logs; one in ten has a durable reader of the first log of all.  Processor time is that of
// whole nodes, stores included; memory is that of a node's mesh alone.  Frames at rest are all
// frames, the others are those that are no signs of life.
#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <ctime>

#include "core/base/assert.h"
#include "core/wire/link_codec.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kReader = 1;
constexpr std::size_t kReadersOneIn = 10;
constexpr std::size_t kCellsMax = 15'000;  // nodes x logs: what is more takes many minutes

double processor_ms() { return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC; }

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

std::string stream(std::size_t log) { return fmt::format("s{}", log); }

std::size_t bytes_of(const wire::MapRecord& record) {
  return wire::encode_link(wire::State{{}, {record}}).size();
}

class Growth {
 public:
  Growth(std::size_t nodes, std::size_t logs)
      : nodes_(nodes), logs_(logs), world_({.seed = 5, .codec = true}) {
    std::vector<StreamOptions> streams;
    for (std::size_t log = 0; log < logs; ++log) {
      streams.push_back({.name = stream(log), .topics = {stream(log) + "/#"}});
    }
    options_.streams = *StreamTable::make(std::move(streams), Durability::Fsync);
  }

  void measure() {
    const double begun = processor_ms();
    for (std::size_t i = 0; i < nodes_; ++i) add();
    const Duration known = until_known();
    const bool settled = world_.settle();
    const double processor = processor_ms() - begun;
    const std::uint64_t frames = world_.chatter;
    const std::uint64_t bytes = world_.encoded_bytes;

    std::uint64_t before = world_.frames;
    world_.run_for(60s);
    const std::uint64_t rest = world_.frames - before;

    before = world_.chatter;
    add();
    const Duration joined = until_known();
    const std::uint64_t joining = world_.chatter - before;
    const std::size_t record = record_bytes();
    MARRAM_ASSERT(settled && !world_.failed(), "a mesh without faults comes to rest");

    fmt::print(
        "| {} | {} | {:.1f} | {:.0f} | {:.1f} | {:.1f} | {} | {:.0f} | {:.0f} | {:.1f} | {} |\n",
        nodes_, logs_, processor / of(nodes_), of(frames) / of(nodes_),
        of(bytes) / 1024 / of(nodes_), seconds(known), record, mesh_kib(), of(rest) / of(nodes_),
        seconds(joined), joining);
    std::fflush(stdout);
  }

 private:
  static double of(std::size_t count) { return static_cast<double>(count); }

  void add() {
    const std::size_t index = world_.size();
    std::vector<std::size_t> dials;
    if (index > 0) dials.push_back(index - 1);
    if (index > 2) dials.push_back(world_.pick(index - 1));
    world_.add_node(dials, options_);
    SimNode& node = world_.node(index);
    if (index % kReadersOneIn == 0) node.subscribe(kReader, {stream(0) + "/#"});
    for (std::size_t log = 0; log < logs_; ++log) node.publish(stream(log) + "/x");
  }

  // Until every node has all records, and knows all logs by them.
  Duration until_known() {
    const TimePoint begun = world_.time();
    std::size_t done = 0;  // nodes that know all
    while (done < world_.size() && !world_.failed() && world_.time() < begun + 10min) {
      const mesh::MeshStatus status = world_.node(done).mesh().status();
      if (status.nodes == world_.size() && status.logs == world_.size() * logs_) {
        ++done;
      } else {
        world_.run_for(50ms);
      }
    }
    MARRAM_ASSERT(done == world_.size(), "all hear of all");
    return world_.time() - begun;
  }

  // The mean.
  std::size_t record_bytes() {
    std::size_t bytes = 0;
    for (const wire::MapRecord& record : world_.node(0).mesh().map()) bytes += bytes_of(record);
    return bytes / world_.size();
  }

  // The mean; it is given back for that.
  double mesh_kib() {
    const std::size_t before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < world_.size(); ++i) world_.node(i).take_mesh().reset();
    return of(before - mallinfo2().uordblks) / 1024 / of(world_.size());
  }

  std::size_t nodes_;
  std::size_t logs_;
  World world_;
  mesh::MeshOptions options_;
};

void measure_growth(std::size_t nodes, std::size_t logs) {
  if (nodes * logs > kCellsMax) {
    fmt::print("| {} | {} | left out: it takes more than five minutes |\n", nodes, logs);
    return;
  }
  Growth(nodes, logs).measure();
}

void print_growth_head() {
  fmt::print(
      "| nodes | logs a node | to come up: processor ms a node | frames a node | KiB a node | "
      "virtual s until all know all | bytes a record | KiB a node's mesh | at rest: frames a "
      "minute and node | a new node is known after s | frames for it |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
}

// Leaves that read a topic of their own of what the hub writes, and dial it alone.
void measure_star(std::size_t leaves) {
  World world({.seed = 18, .codec = true});
  const std::size_t hub = world.add_node({});
  const double begun = processor_ms();
  for (std::size_t leaf = 1; leaf <= leaves; ++leaf) {
    world.node(world.add_node({hub})).subscribe(kReader, {fmt::format("t/{}", leaf)});
  }
  world.node(hub).publish("t/1");
  bool settled = world.settle();
  const double processor = (processor_ms() - begun) / static_cast<double>(leaves);
  std::uint64_t heard = 0;  // by any leaf
  for (std::size_t leaf = 2; leaf <= leaves; ++leaf) {
    heard = std::max(heard, world.node(leaf).heard);
  }
  const auto map = world.node(hub).mesh().map();
  const std::size_t known = world.node(leaves).mesh().status().nodes;

  const std::uint64_t before = world.chatter;
  const std::uint64_t of_both = world.node(1).heard + world.node(hub).heard;
  world.crash(1);
  world.run_for(1s);
  world.start(1);
  settled = world.settle() && settled;
  const std::uint64_t back = world.chatter - before;
  const std::uint64_t others = back - (world.node(1).heard + world.node(hub).heard - of_both);
  MARRAM_ASSERT(settled && !world.failed(), "a star without faults comes to rest");

  fmt::print("| {} | {:.1f} | {} | {} | {} | {} | {} | {} |\n", leaves, processor, map.size(),
             map.empty() ? 0 : bytes_of(map.front()), known, heard, back, others);
  std::fflush(stdout);
}

void print_star_head() {
  fmt::print(
      "\n| leaves of one hub | processor ms a leaf | records in the hub's map | bytes of its own | "
      "records that a leaf has | frames to a leaf, at most | frames for one leaf's return | of "
      "them to other leaves |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
}

int run(int argc, char** argv) {
  CLI::App app("How a mesh grows, simulated.");
  bool quick = false;
  std::size_t nodes = 0;
  std::size_t logs = 1;
  app.add_flag("--quick", quick, "small sizes only");
  app.add_option("--nodes", nodes, "one size only");
  app.add_option("--logs", logs, "of each node, with --nodes");
  std::size_t only_leaves = 0;
  app.add_option("--leaves", only_leaves, "of a hub; one size only");
  CLI11_PARSE(app, argc, argv);
  if (only_leaves != 0) {
    print_star_head();
    measure_star(only_leaves);
    return 0;
  }
  print_growth_head();
  if (nodes != 0) {
    Growth(nodes, logs).measure();
    return 0;
  }
  for (const std::size_t size : {10, 100, 300}) {
    for (const std::size_t count : {1, 10, 100}) {
      if (!quick || (size <= 100 && size * count <= 1000)) measure_growth(size, count);
    }
  }
  print_star_head();
  for (const std::size_t leaves : {10, 100, 1000}) {
    if (!quick || leaves <= 100) measure_star(leaves);
  }
  return 0;
}

}  // namespace
}  // namespace marram::sim

int main(int argc, char** argv) { return marram::sim::run(argc, argv); }
