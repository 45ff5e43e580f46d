// How many events a second go through a client, beside the same through the
// embedded node: publish_many(), and from there on to a live subscription.  The
// processor time is of all threads, publishers and readers included; it holds on a
// machine that others use too.
//
//     marram_client_bench [events] [batch]
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <thread>

#include "core/base/assert.h"
#include "core/client/client.h"
#include "core/node/node.h"

using namespace marram;

namespace {

struct Load {
  std::size_t events = 1'000'000;
  std::size_t batch = 1'000;
};

template <class T>
T must(Result<T> result) {
  if (!result) fmt::print(stderr, "{}\n", result.error().message);
  MARRAM_ASSERT(result.has_value(), "the benchmark's node answers");
  return std::move(*result);
}

std::vector<Event> make_events(const Load& load) {
  return std::vector<Event>(load.batch, {.topic = "bench/a", .payload = std::string(256, 'x')});
}

// Four publishers keep the node busy, as a program that pipelines would.
void publish(Bus& bus, const Load& load) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto events = make_events(load);
      for (std::size_t sent = 0; sent < load.events / 4; sent += load.batch) {
        must(bus.publish_many(events));
      }
    });
  }
}

void read(Subscription& subscription, std::size_t count) {
  while (count > 0) {
    const auto events = must(subscription.fetch(count, std::chrono::seconds(10)));
    MARRAM_ASSERT(!events.empty(), "what was published comes");
    count -= events.size();
  }
}

class Stopwatch {
 public:
  void report(std::string_view what, const Load& load) const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start_;
    const double cpu = static_cast<double>(std::clock() - cpu_) / CLOCKS_PER_SEC;
    const auto events = static_cast<double>(load.events);
    fmt::print("| {} | {:.0f} k/s | {:.2f} us |\n", what, events / took.count() / 1000,
               cpu / events * 1e6);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::clock_t cpu_ = std::clock();
};

void measure(const char* who, Bus& publisher, Bus& reader, const Load& load) {
  const Stopwatch publishing;
  publish(publisher, load);
  publishing.report(fmt::format("{}: publish_many", who), load);

  auto subscription = must(
      reader.subscribe({.filters = {"bench/#"}, .in_flight_max = 10'000, .auto_settle = true}));
  const Stopwatch live;
  const std::jthread publisher_thread([&] { publish(publisher, load); });
  read(*subscription, load.events);
  live.report(fmt::format("{}: publish_many and a live subscription", who), load);
}

}  // namespace

int main(int argc, char** argv) {
  Load load;
  if (argc > 1) load.events = std::strtoul(argv[1], nullptr, 10);
  if (argc > 2) load.batch = std::strtoul(argv[2], nullptr, 10);
  std::string dir = (std::filesystem::temp_directory_path() / "marram-bench-XXXXXX").string();
  MARRAM_ASSERT(::mkdtemp(dir.data()) != nullptr, "a scratch directory can be made");
  {
    auto node = must(Node::open({.name = "bench",
                                 .data_dir = dir,
                                 .max_bytes = 4ull << 30,
                                 .listen = {"ipc://" + dir + "/s"}}));
    fmt::print(
        "| {} events of 256 bytes, {} a batch | rate | processor time an event |\n| --- | --- | "
        "--- |\n",
        load.events, load.batch);
    measure("embedded", *node, *node, load);
    auto publisher = must(Client::connect({.endpoint = "ipc://" + dir + "/s"}));
    auto reader = must(Client::connect({.endpoint = "ipc://" + dir + "/s"}));
    measure("client", *publisher, *reader, load);
  }
  std::filesystem::remove_all(dir);
  return 0;
}
