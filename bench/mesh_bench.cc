// Links between nodes in one process, on loopback TCP, beside raw ZeroMQ and the store in
// the same run.
//
//     marram_mesh_bench [--events 100000] [--seconds 2] [--rounds 3] [--dir DIR]
//
// Raw is bench/raw_zmq.h with frames as large as those of a link that keeps up.  The store is
// Node::publish_many by as many threads at a node without peers.  Both nodes, their publishers
// and their reader share the machine.  The allocator keeps memory as that of the daemon does.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <ctime>
#include <filesystem>
#include <semaphore>
#include <thread>

#include "bench/raw_zmq.h"
#include "core/base/assert.h"
#include "core/base/heap.h"
#include "core/mesh/pace.h"
#include "core/node/node.h"
#include "core/wire/link_codec.h"

namespace marram {
namespace {

constexpr std::size_t kPayloadBytes = 256;
constexpr std::size_t kBatch = 1000;
constexpr std::size_t kBatchesAhead = 20;  // of the reader; a tail holds twice as much
constexpr std::size_t kWarmUp = 30 * kBatch;
constexpr int kPublishers = 2;
constexpr int kNodesMax = 4;
constexpr auto kPatience = std::chrono::seconds(60);

struct Plan {
  std::string directory = "/tmp/marram-mesh-bench";
  std::size_t events = 100'000;
  double seconds = 2;
  int rounds = 3;
  std::size_t crossings = 5000;
};

template <class T>
T must(Result<T> result) {
  if (!result) fmt::print(stderr, "{}\n", result.error().message);
  MARRAM_ASSERT(result.has_value(), "the benchmark's nodes answer");
  return std::move(*result);
}

// Events a second, and processor time of all threads for one, which holds on a machine that
// others use too.
struct Rate {
  double per_second = 0;
  double processor_us = 0;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }
  Rate rate(std::size_t events) const {
    const double used = static_cast<double>(std::clock() - processor_) / CLOCKS_PER_SEC;
    const auto count = static_cast<double>(events);
    return {count / seconds(), used * 1e6 / count};
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::clock_t processor_ = std::clock();
};

// Nodes of which each dials the one before it.  Topics "memory/#" are in memory only.
class Line {
 public:
  Line(const Plan& plan, bool curve) : directory_(plan.directory), curve_(curve) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    for (int i = 0; curve && i < kNodesMax; ++i) {
      trust_.push_back(must(make_key_file(key_file(i))).public_key);
    }
  }
  ~Line() {
    nodes_.clear();
    std::filesystem::remove_all(directory_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  Node& add() {
    const auto index = static_cast<int>(nodes_.size());
    NodeOptions options{.name = fmt::format("n{}", index),
                        .data_dir = directory_ / std::to_string(index),
                        .max_bytes = 8ull << 30};
    options.streams = {
        {.name = "memory", .topics = {"memory/#"}, .durability = Durability::Memory}};
    options.mesh.listen = {"tcp://127.0.0.1:0"};
    options.mesh.carry = {"events"};
    options.mesh.trust = trust_;
    if (curve_) options.mesh.key_file = key_file(index);
    if (index > 0) options.mesh.peers = {nodes_.back()->mesh_endpoints().front()};
    nodes_.push_back(must(Node::open(std::move(options))));
    return *nodes_.back();
  }

 private:
  std::filesystem::path key_file(int index) const {
    return directory_ / fmt::format("{}.key", index);
  }

  std::filesystem::path directory_;
  bool curve_;
  std::vector<std::string> trust_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

std::unique_ptr<Subscription> read_all(Node& node, Start::At at = Start::At::New) {
  return must(node.subscribe({.filters = {"#"},
                              .start = Start{.at = at},
                              .in_flight_max = 10'000,
                              .in_flight_bytes_max = 32 << 20,
                              .auto_settle = true}));
}

std::size_t read_some(Subscription& reader, std::size_t most) {
  const auto events = must(reader.fetch(most, kPatience));
  MARRAM_ASSERT(!events.empty() && reader.take_gaps().empty(), "what was published comes");
  return events.size();
}

void read_count(Subscription& reader, std::size_t count) {
  while (count > 0) count -= read_some(reader, count);
}

// Publishes from threads of its own as much as there is room for, until it is destroyed.
class Publishers {
 public:
  using Room = std::counting_semaphore<>;  // in batches

  Publishers(Node& node, const std::string& topic, Room& room) : room_(room) {
    for (int i = 0; i < kPublishers; ++i) {
      threads_.emplace_back([this, &node, topic] {
        const std::vector<Event> events(
            kBatch, {.topic = topic, .payload = std::string(kPayloadBytes, 'p')});
        for (room_.acquire(); !over_; room_.acquire()) {
          must(node.publish_many(events));
          published_ += kBatch;
        }
      });
    }
  }
  ~Publishers() {
    over_ = true;
    room_.release(kPublishers);
  }
  Publishers(const Publishers&) = delete;
  Publishers& operator=(const Publishers&) = delete;

  std::size_t published() const { return published_; }

 private:
  Room& room_;
  std::atomic<bool> over_ = false;
  std::atomic<std::size_t> published_ = 0;
  std::vector<std::jthread> threads_;
};

// From `from` to a reader at `to`.
Rate carried(const Plan& plan, Node& from, Node& to, const std::string& topic) {
  const auto reader = read_all(to);
  Publishers::Room room(kBatchesAhead);
  const Publishers publishers(from, topic, room);
  std::size_t count = 0;
  const auto read = [&] {
    const std::size_t before = count / kBatch;
    count += read_some(*reader, 10'000);
    room.release(static_cast<std::ptrdiff_t>(count / kBatch - before));
  };
  while (count < kWarmUp) read();
  const std::size_t warm = count;
  const Stopwatch watch;
  while (watch.seconds() < plan.seconds) read();
  return watch.rate(count - warm);
}

// What one node stores.
Rate stored(const Plan& plan) {
  Line line(plan, false);
  Publishers::Room room(1 << 30);
  const Publishers publishers(line.add(), "plant/1/line/7/temperature", room);
  while (publishers.published() < kWarmUp) std::this_thread::yield();
  const std::size_t warm = publishers.published();
  const Stopwatch watch;
  std::this_thread::sleep_for(std::chrono::duration<double>(plan.seconds));
  return watch.rate(publishers.published() - warm);
}

std::unique_ptr<EventBatch> one_event(const std::string& topic) {
  UuidMaker ids;
  const std::string payload(kPayloadBytes, 'p');
  EventView event;
  event.topic = topic;
  event.payload = payload;
  auto batch = std::make_unique<EventBatch>();
  batch->add(event, Clock::system().wall(), ids);
  return batch;
}

// In frames of kFrameMax.
Rate raw_rate(const Plan& plan, bool curve, const std::string& topic) {
  const std::size_t event = wire::encode_data(1, 0, 1, one_event(topic)->events(), {}).size();
  RawLink link(curve);
  const Stopwatch watch;
  return watch.rate(link.frames(mesh::Pace::kFrameMax, plan.seconds) * mesh::Pace::kFrameMax /
                    event);
}

struct Deaf : Listener {
  void notify(Notice) override {}
};

// How long single events take to a reader `hops` links away, in seconds.
std::vector<double> crossings(const Plan& plan, bool curve, int hops) {
  Line line(plan, curve);
  Node& from = line.add();
  Node* to = &from;
  for (int i = 0; i < hops; ++i) to = &line.add();
  const auto reader = read_all(*to);
  const auto listener = std::make_shared<Deaf>();
  std::vector<double> times;
  // The first ones wait for the links.
  for (std::size_t i = 0; i < plan.crossings + 100; ++i) {
    auto batch = one_event("memory/1");
    const Stopwatch watch;
    MARRAM_ASSERT(from.submit(std::move(batch), listener, i), "an idle node takes an event");
    read_count(*reader, 1);
    if (i >= 100) times.push_back(watch.seconds());
  }
  return times;
}

double share(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

// Medians; the ratio is that of pairs.
void print_row(std::string_view what, const std::vector<Rate>& limits,
               const std::vector<Rate>& ours) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ratios.push_back(ours[i].per_second / limits[i].per_second);
  }
  const auto median = [](const std::vector<Rate>& rates, double Rate::* which) {
    std::vector<double> values;
    for (const Rate& rate : rates) values.push_back(rate.*which);
    return share(values, 0.5);
  };
  fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} | {:.2f} | {:.2f} |\n", what,
             median(limits, &Rate::per_second), median(ours, &Rate::per_second), share(ratios, 0.5),
             median(limits, &Rate::processor_us), median(ours, &Rate::processor_us));
  std::fflush(stdout);
}

// Limit and mesh in alternation.
template <class Limit, class Mesh>
void compare(const Plan& plan, std::string_view what, Limit limit, Mesh mesh) {
  std::vector<Rate> limits;
  std::vector<Rate> ours;
  for (int round = 0; round < plan.rounds; ++round) {
    if (round % 2 == 0) limits.push_back(limit());
    ours.push_back(mesh());
    if (round % 2 != 0) limits.push_back(limit());
  }
  print_row(what, limits, ours);
}

// What the first node stores, and how fast it comes to a reader at a node that joins then.
void print_catch_up(const Plan& plan) {
  Line line(plan, true);
  Node& from = line.add();
  const std::vector<Event> events(
      kBatch, {.topic = "plant/1/line/7/temperature", .payload = std::string(kPayloadBytes, 'p')});
  const auto count = plan.events / kBatch * kBatch;
  const Stopwatch storing;
  for (std::size_t i = 0; i < count; i += kBatch) must(from.publish_many(events));
  const Rate stored = storing.rate(count);
  const Stopwatch carrying;
  const auto reader = read_all(line.add(), Start::At::Earliest);
  read_count(*reader, count);
  print_row(fmt::format("catch-up of {} events, CURVE, against storing them", count), {stored},
            {carrying.rate(count)});
}

Rate link_rate(const Plan& plan, bool curve, const std::string& topic) {
  Line line(plan, curve);
  Node& from = line.add();
  return carried(plan, from, line.add(), topic);
}

Rate local_rate(const Plan& plan, const std::string& topic) {
  Line line(plan, false);
  Node& node = line.add();
  return carried(plan, node, node, topic);
}

void print_rates(const Plan& plan) {
  fmt::print(
      "| one link | limit /s | mesh /s | ratio | limit, processor us an event | mesh |\n"
      "| --- | --- | --- | --- | --- | --- |\n");
  const std::string memory = "memory/1";
  const std::string durable = "plant/1/line/7/temperature";
  for (const bool curve : {false, true}) {
    compare(
        plan, curve ? "memory, CURVE, against raw" : "memory, plain, against raw",
        [&] { return raw_rate(plan, curve, memory); },
        [&] { return link_rate(plan, curve, memory); });
  }
  compare(
      plan, "memory, CURVE, against a reader at the same node",
      [&] { return local_rate(plan, memory); }, [&] { return link_rate(plan, true, memory); });
  compare(
      plan, "fsync at both ends, CURVE, against the store", [&] { return stored(plan); },
      [&] { return link_rate(plan, true, durable); });
  print_catch_up(plan);
}

void print_latency(const Plan& plan) {
  fmt::print(
      "\n| one event in memory | raw p50 us | raw p99 us | 1 hop p50 | 1 hop p99 | "
      "3 hops p50 | 3 hops p99 |\n| --- | --- | --- | --- | --- | --- | --- |\n");
  for (const bool curve : {false, true}) {
    fmt::print("| {} |", curve ? "CURVE" : "plain");
    for (const auto& times : {RawLink(curve).half_round_trips(kPayloadBytes, plan.crossings),
                              crossings(plan, curve, 1), crossings(plan, curve, 3)}) {
      fmt::print(" {:.0f} | {:.0f} |", share(times, 0.5) * 1e6, share(times, 0.99) * 1e6);
      std::fflush(stdout);
    }
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace marram

int main(int argc, char** argv) {
  marram::keep_freed_memory();
  marram::Plan plan;
  CLI::App app("Links between nodes against raw ZeroMQ and the store");
  app.add_option("--dir", plan.directory, "is emptied")->capture_default_str();
  app.add_option("--events", plan.events, "of the catch-up")->capture_default_str();
  app.add_option("--seconds", plan.seconds, "of each run")->capture_default_str();
  app.add_option("--rounds", plan.rounds)->capture_default_str();
  app.add_option("--crossings", plan.crossings, "whose time is taken")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  marram::print_rates(plan);
  marram::print_latency(plan);
  return 0;
}
