#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

namespace {

using namespace std::chrono_literals;

// MARRAM_SIM_SEEDS=n for a long run, MARRAM_SIM_FIRST=s to begin at a seed,
// MARRAM_SIM_SECONDS=t to begin none later than that, MARRAM_SIM_TRACE=1 to see what happens.
std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Faults {
  bool cuts = false;
  bool crashes = false;
  bool backups = false;  // a node comes back from an older image
  bool joins = false;    // nodes and readers come and go
  bool passes = false;   // readers that nothing is held for come and go
  bool full = false;     // a disk is full for a while
  bool jumps = false;    // clocks go forward and back, by up to two days
  std::optional<Duration> retain;
};

// One schedule, all of it from the seed.
class Schedule {
 public:
  Schedule(std::uint64_t seed, const Faults& faults)
      : faults_(faults),
        world_({.seed = seed,
                .latency_max = std::chrono::milliseconds(seed % 5 == 0 ? 200 : 20),
                .commit_max = std::chrono::milliseconds(seed % 7 == 0 ? 100 : 10),
                .retain = faults.retain,
                .stuck_max = std::chrono::seconds(60),
                .codec = seed % 10 == 0,
                .bytes_per_second = seed % 9 == 0 ? 100'000U : 0U,
                .trace = number_from("MARRAM_SIM_TRACE", 0) != 0}) {}

  void run() {
    build();
    for (int step = 0; step < 40 && !world_.failed(); ++step) {
      this->step();
      world_.run_for(Duration(static_cast<std::int64_t>(world_.pick(1'000'000))));
    }
    end();
  }

  World& world() { return world_; }

 private:
  void build() {
    const std::uint64_t size = world_.pick(16);
    const std::size_t count = 3 + world_.pick(size == 0 ? 28 : size <= 4 ? 8 : 4);
    for (std::size_t i = 0; i < count; ++i) add();
    const std::size_t readers = 1 + world_.pick(count);
    for (std::size_t i = 0; i < readers; ++i) subscribe();
    // All have been heard of before history begins to go, and before what crosses is counted.
    // Of a stream whose readers nobody has told of logs it is known what they expect; but readers
    // behind another node may come to hear of it when the first of it has gone.
    const bool alarms = faults_.retain || world_.pick(2) == 0;
    for (std::size_t i = 0; i < count; ++i) {
      world_.node(i).publish("t/0");
      if (alarms) world_.node(i).publish("alarm/0");
    }
    world_.run_for(5s);
    world_.crossed = world_.copied = world_.late = 0;
  }

  void add() {
    std::vector<std::size_t> dials;
    const std::size_t index = world_.size();
    if (index > 0) dials.push_back(world_.pick(2) == 0 ? index - 1 : world_.pick(index));
    if (index > 1 && world_.pick(3) == 0) dials.push_back(world_.pick(index));
    world_.add_node(dials);
    for (const std::size_t other : dials) edges_.emplace_back(index, other);
  }

  void subscribe() {
    static const std::vector<std::vector<std::string>> kFilters = {
        {"#"}, {"t/1"}, {"t/+"}, {"t/1", "t/2"}, {"alarm/#"}, {"t/3", "alarm/1"}};
    const std::size_t node = world_.pick(world_.size());
    world_.node(node).subscribe(++reader_, kFilters[world_.pick(kFilters.size())]);
    readers_.emplace_back(node, reader_);
  }

  void publish() {
    SimNode& node = world_.node(world_.pick(world_.size()));
    const std::string topic =
        world_.pick(6) == 0 ? "alarm/1" : "t/" + std::to_string(world_.pick(5));
    const std::size_t bytes = world_.pick(50) == 0 ? 150'000 : world_.pick(400);
    node.publish(topic, 1 + world_.pick(20), bytes);
  }

  void step() {
    for (std::size_t i = world_.pick(4); i > 0; --i) publish();
    const std::size_t node = world_.pick(world_.size());
    const std::uint64_t what = world_.pick(12);
    if (faults_.cuts && what < 2 && !edges_.empty()) {
      const auto [a, b] = edges_[world_.pick(edges_.size())];
      world_.cut(a, b, world_.pick(3) == 0);
    } else if (faults_.cuts && what < 4 && !edges_.empty()) {
      const auto [a, b] = edges_[world_.pick(edges_.size())];
      world_.heal(a, b);
    } else if (faults_.crashes && what < 6 && world_.node(node).up()) {
      crash(node);
    } else if (faults_.joins && what == 6) {
      world_.pick(2) == 0 && world_.size() < 12 ? add() : subscribe();
    } else if (faults_.joins && what == 7) {
      pass(node);
    } else if (faults_.passes && (what == 6 || what == 7)) {
      pass(node);
    } else if (faults_.full && what == 8) {
      world_.node(node).set_full(true);
      world_.at(2s, [this, node] { world_.node(node).set_full(false); });
    } else if (faults_.jumps && what >= 10) {
      jump(world_.node(node));
    } else if (faults_.backups && what == 9) {
      images_.emplace_back(node, world_.node(node).backup());
    }
  }

  void pass(std::size_t node) {
    if (world_.pick(2) == 0) {
      world_.node(node).listen(++listener_, {"t/#"});
      listeners_.emplace_back(node, listener_);
    } else if (!listeners_.empty()) {
      stop_listening();
    }
  }

  void stop_listening() {
    world_.node(listeners_.back().first).unsubscribe(listeners_.back().second);
    listeners_.pop_back();
  }

  void jump(SimNode& node) {
    const auto most = static_cast<std::uint64_t>(Duration(48h).count());
    const Duration by(static_cast<std::int64_t>(world_.pick(most)));
    node.clock_offset += world_.pick(2) == 0 ? by : -by;
    world_.trace(fmt::format("clock of {} jumps", SimNode::id_of(node.index())));
  }

  void crash(std::size_t node) {
    world_.crash(node);
    const Duration down(static_cast<std::int64_t>(world_.pick(8'000'000)));
    const bool back = faults_.backups && world_.pick(3) == 0;
    world_.at(down, [this, node, back] {
      if (world_.node(node).up()) return;
      const auto image = std::find_if(images_.begin(), images_.end(),
                                      [&](const auto& one) { return one.first == node; });
      if (back && image != images_.end()) world_.node(node).restore(image->second);
      world_.start(node);
    });
  }

  void end() {
    world_.heal_all();
    world_.run_for(10s);
    for (std::size_t i = 0; i < world_.size(); ++i) {
      world_.node(i).set_full(false);
      if (!world_.node(i).up()) world_.start(i);
    }
    world_.run_for(40s);  // whoever waits longest before he dials again
    world_.expect(world_.settle(20min), "the mesh does not come to rest");
    world_.check_delivered();
    if (faults_.backups) return;
    std::string list;
    for (const auto& [reason, count] : world_.gaps) list += fmt::format(" {} {}", count, reason);
    world_.expect(world_.gaps.empty(), "gaps where custody holds:" + list);
    if (faults_.retain) {
      while (!listeners_.empty()) stop_listening();
      world_.run_for(80s);  // new copies are kept for a while, and what somebody may ask for again
      world_.check_nothing_kept();
    }
    if (faults_.cuts || faults_.crashes || faults_.joins || faults_.full) return;
    // A want can be over while answers to it are on their way.
    world_.expect(world_.crossed == world_.copied + world_.late,
                  fmt::format("{} events crossed for {} copies, {} of them too late",
                              world_.crossed, world_.copied, world_.late));
  }

  Faults faults_;
  World world_;
  std::vector<std::pair<std::size_t, std::size_t>> edges_;
  std::vector<std::pair<std::size_t, std::uint64_t>> readers_;
  std::vector<std::pair<std::size_t, DiskImage>> images_;
  std::uint64_t reader_ = 0;
  std::uint64_t listener_ = 1000;
  std::vector<std::pair<std::size_t, std::uint64_t>> listeners_;
};

void run_seeds(const char* test, std::uint64_t count, const Faults& faults) {
  const std::uint64_t first = number_from("MARRAM_SIM_FIRST", 1);
  const std::uint64_t seeds = number_from("MARRAM_SIM_SEEDS", count);
  const std::uint64_t seconds = number_from("MARRAM_SIM_SECONDS", 3600);
  const TimePoint end = Clock::system().now() + std::chrono::seconds(seconds);
  std::uint64_t failures = 0;
  std::uint64_t copied = 0;
  for (std::uint64_t seed = first; seed < first + seeds && failures < 5; ++seed) {
    if (Clock::system().now() >= end) break;
    Schedule schedule(seed, faults);
    schedule.run();
    copied += schedule.world().copied;
    if (!schedule.world().failed()) continue;
    ++failures;
    FAIL_CHECK(
        fmt::format("{}\n  replay: MARRAM_SIM_FIRST={} MARRAM_SIM_SEEDS=1 MARRAM_SIM_TRACE=1 "
                    "marram_test_sim -tc='{}'",
                    schedule.world().failure(), seed, test));
  }
  if (seeds >= 10) CHECK(copied > 0);
}

TEST_SUITE_BEGIN("sim/random");

TEST_CASE("a seed is the same world each time") {
  const Faults all{
      .cuts = true, .crashes = true, .backups = true, .joins = true, .full = true, .jumps = true};
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    Schedule once(seed, all);
    once.run();
    Schedule again(seed, all);
    again.run();

    CHECK(once.world().frames == again.world().frames);
    CHECK(once.world().copied == again.world().copied);
    CHECK(once.world().time() == again.world().time());
  }
}

TEST_CASE("a steady mesh delivers all, each event once over each link") {
  run_seeds("a steady mesh*", 60, {});
}

TEST_CASE("a mesh whose links are cut delivers all, without a gap") {
  run_seeds("a mesh whose links are cut*", 60, {.cuts = true});
}

TEST_CASE("a mesh whose nodes crash delivers all, without a gap") {
  run_seeds("a mesh whose nodes crash*", 60, {.cuts = true, .crashes = true});
}

TEST_CASE("a mesh whose clocks jump delivers all, without a gap") {
  run_seeds("a mesh whose clocks jump*", 40,
            {.cuts = true, .crashes = true, .joins = true, .jumps = true});
}

TEST_CASE("a mesh that nodes and readers join and leave delivers all, without a gap") {
  run_seeds("a mesh that nodes and readers*", 100,
            {.cuts = true, .crashes = true, .joins = true, .full = true});
}

TEST_CASE("a mesh that forgets history delivers all, without a gap") {
  run_seeds("a mesh that forgets history delivers*", 100,
            {.cuts = true, .crashes = true, .full = true, .retain = 3s});
}

TEST_CASE("a mesh that forgets history and has passing readers delivers all, without a gap") {
  run_seeds("a mesh that forgets history and has*", 40,
            {.cuts = true, .crashes = true, .passes = true, .retain = 3s});
}

TEST_CASE("a mesh with restored backups delivers what anybody has") {
  run_seeds("a mesh with restored backups*", 100,
            {.cuts = true, .crashes = true, .backups = true, .joins = true});
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::sim
