#include "gateway/cli/demo.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <ostream>

#include "gateway/cli/demo_board.h"
#include "gateway/cli/mesh_scene.h"

namespace marram::cli {

namespace {

using std::chrono::seconds;

constexpr Duration kDrainWithin = seconds(60);

class Demo {
 public:
  Demo(const DemoOptions& options, std::ostream& out)
      : options_(options), board_(options.live, out), out_(out) {}

  Result<bool> run() {
    board_.say(fmt::format("starting three nodes, a - b - c, {}, and {} devices",
                           options_.broker.empty() ? "a fourth as the broker outside"
                                                   : "an uplink of c to " + options_.broker,
                           options_.devices));
    auto scene = MeshScene::open({.broker = options_.broker,
                                  .devices = options_.devices,
                                  .rate_per_s = options_.rate_per_s});
    if (!scene) return tl::unexpected(scene.error());
    scene_ = std::move(*scene);
    if (auto status = acts(); !status) return tl::unexpected(status.error());
    return finale();
  }

 private:
  Status acts() {
    if (auto status = scene_->start_devices(); !status) return status;
    board_.say("devices publish over MQTT at a, b carries, a route at c hands on, a reader reads");
    play(seconds(5));
    link_is_cut();
    outside_is_away();
    if (auto status = b_is_killed(); !status) return status;
    scene_->uplink().heal();
    outages_.outside = false;
    board_.say("the broker outside is back: the route dials within 30 s, its backlog drains");
    play(seconds(6));
    scene_->cast().stop_devices();
    board_.say("devices stop when all they sent is acknowledged");
    return wait_for([&] { return scene_->cast().devices_done(); })
               ? wait_drained()
               : fail(Errc::TimedOut, "demo: a did not acknowledge everything within a minute");
  }

  void link_is_cut() {
    scene_->link().cut();
    outages_.link = true;
    board_.say("the link a - b is cut: readings are still acknowledged, and a holds them for b");
    play(seconds(7));
    scene_->link().heal();
    outages_.link = false;
    board_.say("the link is healed: what a held comes over by itself");
    play(seconds(4));
  }

  void outside_is_away() {
    scene_->uplink().cut();
    outages_.outside = true;
    board_.say("the broker outside is away: c keeps what it owes the route, its reader reads on");
    play(seconds(6));
  }

  Status b_is_killed() {
    scene_->kill_b();
    outages_.b = true;
    board_.say("b is killed with kill -9: a holds for it, devices notice nothing");
    play(seconds(5));
    if (auto status = scene_->start_b(); !status) return status;
    outages_.b = false;
    board_.say("b is back: it goes on where its disk says");
    play(seconds(5));
    return {};
  }

  Status wait_drained() {
    const auto drained = [&] {
      return scene_->outside().sum().lost == 0 && scene_->read().sum().lost == 0 &&
             scene_->at_c().owed_to_route == 0;
    };
    if (wait_for(drained)) return {};
    const std::uint64_t held = scene_->held_at_a();
    const std::uint64_t owed = scene_->at_c().owed_to_route;
    if (held + owed == 0) return {};  // what is missing is lost, and the sum says so
    return fail(Errc::TimedOut,
                fmt::format("demo: within a minute {} events did not leave a, {} did not leave c",
                            held, owed));
  }

  Result<bool> finale() {
    board_.clear();
    const auto stored = scene_->count_stored();
    if (!stored) return tl::unexpected(stored.error());
    const Sum sum = scene_->outside().sum();
    const Sum read = scene_->read().sum();
    const auto sign = [](bool equal) { return equal ? "=" : "!="; };
    fmt::print(out_,
               "\n  sent {} {} stored {} {} read at c {} {} delivered {}, lost {}  "
               "(delivered twice: {})\n",
               sum.sent, sign(sum.sent == *stored), *stored, sign(*stored == read.delivered),
               read.delivered, sign(read.delivered == sum.delivered), sum.delivered,
               std::max(sum.lost, read.lost), sum.duplicated);
    return sum.sent == *stored && sum.sent == read.delivered && sum.sent == sum.delivered &&
           sum.lost == 0 && read.lost == 0;
  }

  void play(Duration length) {
    const auto micros = static_cast<double>(length.count()) * options_.pace;
    const TimePoint until = Clock::system().now() + Duration(static_cast<std::int64_t>(micros));
    while (Clock::system().now() < until) step();
  }

  template <class Condition>
  bool wait_for(Condition condition) {
    const TimePoint until = Clock::system().now() + kDrainWithin;
    while (!condition()) {
      if (Clock::system().now() > until) return false;
      step();
    }
    return true;
  }

  void step() {
    scene_->poll(std::chrono::milliseconds(50));
    board_.show(*scene_, outages_);
  }

  DemoOptions options_;
  DemoBoard board_;
  std::ostream& out_;
  std::unique_ptr<MeshScene> scene_;
  Outages outages_;
};

}  // namespace

Result<bool> run_demo(const DemoOptions& options, std::ostream& out) {
  return Demo(options, out).run();
}

}  // namespace marram::cli
