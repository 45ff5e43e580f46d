#include "gateway/cli/demo.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ostream>

#include "core/base/quantity.h"
#include "gateway/cli/scene.h"

namespace marram::cli {

namespace {

constexpr Duration kDrainWithin = std::chrono::seconds(60);

// What stands on the screen: a heading, a row a device, a sum.
class Board {
 public:
  Board(bool live, std::ostream& out) : live_(live), out_(out) {}

  void say(const std::string& sentence) {
    clear();
    fmt::print(out_, "{}  {}\n", elapsed(), sentence);
    next_ = TimePoint();
    out_.flush();
  }

  void show(Scene& scene, bool uplink) {
    const TimePoint now = Clock::system().now();
    if (now < next_) return;
    next_ = now + (live_ ? Duration(200'000) : Duration(2'000'000));
    const Backlog backlog = scene.backlog();
    const Sum sum = scene.tally().sum();
    if (!live_) {
      fmt::print(out_,
                 "{}  sent {:>6}  acknowledged {:>6}  delivered {:>6}  backlog {:>6}  "
                 "oldest {:>4.0f}s\n",
                 elapsed(), sum.sent, sum.acknowledged, sum.delivered, backlog.events,
                 backlog.oldest_age_s);
      out_.flush();
      return;
    }
    clear();
    line(fmt::format("      node {:<7} uplink {:<7} backlog {:>6} events, oldest {:>4.0f}s",
                     scene.node_is_up() ? "up" : "KILLED", uplink ? "up" : "CUT", backlog.events,
                     backlog.oldest_age_s));
    line(fmt::format("      {:<10} {:>8} {:>13} {:>10}", "device", "sent", "acknowledged",
                     "delivered"));
    for (const auto& [name, device] : scene.tally().devices()) {
      line(fmt::format("      {:<10} {:>8} {:>13} {:>10}", name, device.sent, device.acknowledged,
                       device.delivered));
    }
    line(fmt::format("      {:<10} {:>8} {:>13} {:>10}", "all", sum.sent, sum.acknowledged,
                     sum.delivered));
    out_.flush();
  }

  void clear() {
    if (lines_ > 0) fmt::print(out_, "\x1b[{}F\x1b[0J", lines_);
    lines_ = 0;
  }

 private:
  std::string elapsed() const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(Clock::system().now() - start_).count();
    return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
  }
  void line(const std::string& text) {
    out_ << text << '\n';
    ++lines_;
  }

  bool live_;
  std::ostream& out_;
  TimePoint start_ = Clock::system().now();
  TimePoint next_{};
  int lines_ = 0;
};

class Demo {
 public:
  Demo(const DemoOptions& options, std::ostream& out)
      : options_(options), board_(options.live, out), out_(out) {}

  Result<bool> run() {
    board_.say(fmt::format("starting a node, {}, and {} devices",
                           options_.broker.empty() ? "a second one as the broker outside"
                                                   : "an uplink to " + options_.broker,
                           options_.devices));
    auto scene = Scene::open({.broker = options_.broker,
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
    board_.say("devices publish over MQTT, a route hands their readings on");
    play(std::chrono::seconds(8));
    uplink_ = false;
    scene_->cut();
    board_.say("the uplink is cut: readings are still acknowledged, and kept");
    play(std::chrono::seconds(10));
    scene_->kill_node();
    board_.say("the node is killed with kill -9: devices wait and dial again");
    play(std::chrono::seconds(3));
    if (auto status = scene_->start_node(); !status) return status;
    board_.say("the node is back: devices go on, what was acknowledged is on disk");
    play(std::chrono::seconds(7));
    uplink_ = true;
    scene_->heal();
    board_.say(
        "the uplink is healed: the route dials within 30 s, and the backlog drains by itself");
    play(std::chrono::seconds(8));
    scene_->stop_devices();
    board_.say("devices stop when all they sent is acknowledged");
    return wait_for([&] { return scene_->devices_done(); })
               ? wait_drained()
               : fail(Errc::TimedOut,
                      "demo: the node did not acknowledge everything within a minute");
  }

  Status wait_drained() {
    const auto drained = [&] {
      return scene_->tally().sum().lost == 0 && scene_->backlog().events == 0;
    };
    if (wait_for(drained) || scene_->backlog().events == 0) return {};
    return fail(Errc::TimedOut, fmt::format("demo: {} events did not leave within a minute",
                                            scene_->backlog().events));
  }

  Result<bool> finale() {
    board_.clear();
    const auto stored = scene_->count_stored();
    if (!stored) return tl::unexpected(stored.error());
    const Sum sum = scene_->tally().sum();
    const bool good = sum.sent == *stored && sum.sent == sum.delivered && sum.lost == 0;
    fmt::print(out_, "\n  sent {} {} stored {} {} delivered {}, lost {}  (delivered twice: {})\n",
               sum.sent, sum.sent == *stored ? "=" : "!=", *stored,
               *stored == sum.delivered ? "=" : "!=", sum.delivered, sum.lost, sum.duplicated);
    return good;
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
    board_.show(*scene_, uplink_);
  }

  DemoOptions options_;
  Board board_;
  std::ostream& out_;
  std::unique_ptr<Scene> scene_;
  bool uplink_ = true;
};

}  // namespace

Result<bool> run_demo(const DemoOptions& options, std::ostream& out) {
  return Demo(options, out).run();
}

}  // namespace marram::cli
