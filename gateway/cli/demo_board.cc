#include "gateway/cli/demo_board.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ostream>

namespace marram::cli {

namespace {

std::string row(const std::string& name, const DeviceTally& outside, std::uint64_t read) {
  return fmt::format("      {:<10} {:>8} {:>13} {:>10} {:>9}", name, outside.sent,
                     outside.acknowledged, read, outside.delivered);
}

}  // namespace

void DemoBoard::say(const std::string& sentence) {
  clear();
  fmt::print(out_, "{}  {}\n", elapsed(), sentence);
  next_ = TimePoint();
  out_.flush();
}

void DemoBoard::show(MeshScene& scene, const Outages& outages) {
  const TimePoint now = Clock::system().now();
  if (now < next_) return;
  next_ = now + (live_ ? Duration(200'000) : Duration(2'000'000));
  if (live_) {
    draw(scene, outages);
  } else {
    const Sum outside = scene.outside().sum();
    fmt::print(out_,
               "{}  sent {:>6}  acknowledged {:>6}  read at c {:>6}  outside {:>6}  "
               "a holds for b {:>5}  c owes the route {:>5}\n",
               elapsed(), outside.sent, outside.acknowledged, scene.read().sum().delivered,
               outside.delivered, scene.held_at_a(), scene.at_c().owed_to_route);
  }
  out_.flush();
}

void DemoBoard::draw(MeshScene& scene, const Outages& outages) {
  clear();
  const Standing c = scene.at_c();
  line(fmt::format("      a --{}-- {} ------ c --{}-- outside", outages.link ? " CUT " : "-----",
                   outages.b ? "b KILLED" : "b", outages.outside ? " AWAY " : "------"));
  line(fmt::format("      a holds for b {:>6} events    c owes the route {:>6}, oldest {:>3.0f}s",
                   scene.held_at_a(), c.owed_to_route, c.oldest_age_s));
  line(fmt::format("      {:<10} {:>8} {:>13} {:>10} {:>9}", "device", "sent", "acknowledged",
                   "read at c", "outside"));
  const auto read = scene.read().devices();
  for (const auto& [name, device] : scene.outside().devices()) {
    const auto found = read.find(name);
    line(row(name, device, found == read.end() ? 0 : found->second.delivered));
  }
  const Sum sum = scene.outside().sum();
  line(row("all", {sum.sent, sum.acknowledged, sum.delivered}, scene.read().sum().delivered));
}

void DemoBoard::clear() {
  if (lines_ > 0) fmt::print(out_, "\x1b[{}F\x1b[0J", lines_);
  lines_ = 0;
}

std::string DemoBoard::elapsed() const {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(Clock::system().now() - start_).count();
  return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
}

void DemoBoard::line(const std::string& text) {
  out_ << text << '\n';
  ++lines_;
}

}  // namespace marram::cli
