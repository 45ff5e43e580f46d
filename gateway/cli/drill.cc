#include "gateway/cli/drill.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <random>

#include "core/base/quantity.h"
#include "gateway/cli/scene.h"

namespace marram::cli {

namespace {

constexpr Duration kPatience = std::chrono::minutes(2);

class Drill {
 public:
  explicit Drill(const DrillOptions& options) : options_(options) {}

  Result<Sum> run() {
    const std::uint64_t each = options_.messages / options_.devices;
    auto scene = Scene::open({.broker = options_.broker,
                              .devices = options_.devices,
                              .readings = each,
                              .window = options_.window});
    if (!scene) return tl::unexpected(scene.error());
    scene_ = std::move(*scene);
    scene_->cut();
    if (auto status = scene_->start_devices(); !status) return tl::unexpected(status.error());
    if (options_.kill) {
      if (auto status = kill_and_restart(each * options_.devices); !status) {
        return tl::unexpected(status.error());
      }
    }
    if (auto status = wait_for([&] { return scene_->cast().devices_done(); }, "acknowledged");
        !status) {
      return tl::unexpected(status.error());
    }
    scene_->heal();
    const auto arrived = [&] {
      return scene_->cast().tally().sum().lost == 0 && scene_->backlog() == 0;
    };
    if (auto status = wait_for(arrived, "delivered"); !status && scene_->backlog() > 0) {
      return tl::unexpected(status.error());
    }
    return scene_->cast().tally().sum();
  }

 private:
  Status kill_and_restart(std::uint64_t total) {
    std::random_device seed;
    std::uniform_int_distribution<std::uint64_t> moment(1, std::max<std::uint64_t>(1, total - 1));
    const std::uint64_t at = moment(seed);
    const auto reached = [&] { return scene_->cast().tally().sum().acknowledged >= at; };
    if (auto status = wait_for(reached, "acknowledged"); !status) return status;
    scene_->kill_node();
    return scene_->start_node();
  }

  template <class Condition>
  Status wait_for(Condition condition, const char* what) {
    const TimePoint until = Clock::system().now() + kPatience;
    while (!condition()) {
      if (Clock::system().now() > until) {
        const Sum sum = scene_->cast().tally().sum();
        return fail(
            Errc::TimedOut,
            fmt::format("drill: not everything was {} within {}: sent {}, acknowledged {}, "
                        "delivered {}",
                        what, duration_text(kPatience), sum.sent, sum.acknowledged, sum.delivered));
      }
      scene_->cast().poll(std::chrono::milliseconds(5));
    }
    return {};
  }

  DrillOptions options_;
  std::unique_ptr<Scene> scene_;
};

void print(const DrillOptions& options, std::size_t round, const Sum& sum, std::ostream& out) {
  if (options.json) {
    out << nlohmann::json({{"round", round},
                           {"sent", sum.sent},
                           {"acknowledged", sum.acknowledged},
                           {"delivered", sum.delivered},
                           {"lost", sum.lost},
                           {"duplicated", sum.duplicated},
                           {"out_of_order", sum.out_of_order}})
        << '\n'
        << std::flush;
    return;
  }
  if (round == 1) {
    fmt::print(out, "{:>5} {:>8} {:>13} {:>10} {:>6} {:>11} {:>13}\n", "round", "sent",
               "acknowledged", "delivered", "lost", "duplicated", "out of order");
  }
  fmt::print(out, "{:>5} {:>8} {:>13} {:>10} {:>6} {:>11} {:>13}\n", round, sum.sent,
             sum.acknowledged, sum.delivered, sum.lost, sum.duplicated, sum.out_of_order);
  out.flush();
}

}  // namespace

Result<bool> run_drill(const DrillOptions& options, std::ostream& out) {
  if (options.devices == 0 || options.messages < options.devices) {
    return fail(Errc::Invalid, "drill: give at least one device, and a message for each of them");
  }
  bool good = true;
  for (std::size_t round = 1; round <= options.rounds; ++round) {
    const auto sum = Drill(options).run();
    if (!sum) return tl::unexpected(sum.error());
    print(options, round, *sum, out);
    good = good && sum->lost == 0 && sum->out_of_order == 0;
  }
  return good;
}

}  // namespace marram::cli
