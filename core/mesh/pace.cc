#include "core/mesh/pace.h"

#include <algorithm>

namespace marram::mesh {

namespace {

constexpr Duration kQueueMax = std::chrono::milliseconds(300);
constexpr Duration kDelayMinFor = std::chrono::seconds(60);
constexpr Duration kFrameTime = std::chrono::milliseconds(100);
constexpr std::uint64_t kFlightMin = 4 << 10;
constexpr std::uint64_t kFlightMax = std::uint64_t{64} << 20;

std::uint64_t bytes_in(std::uint64_t rate, Duration time) {
  return rate * static_cast<std::uint64_t>(time.count()) / 1'000'000;
}

}  // namespace

void Pace::on_sent(std::uint64_t bytes, TimePoint now) {
  sent_ += bytes;
  if (sent_at_.empty()) done_at_ = now;
  sent_at_.push_back({sent_, now, done_, done_at_, in_flight() + frame_bytes() > flight_max_});
}

bool Pace::on_credit(std::uint64_t granted, std::uint64_t window, TimePoint now) {
  if (granted < granted_) return true;  // an old one
  if (granted > sent_ + window) return false;
  granted_ = granted;
  const std::uint64_t done = granted > window ? granted - window : 0;
  if (done <= done_) return true;
  const std::uint64_t more = done - done_;
  Sent last{};
  while (!sent_at_.empty() && sent_at_.front().upto <= done) {
    last = sent_at_.front();
    sent_at_.pop_front();
  }
  done_ = done;
  done_at_ = now;
  if (last.upto == 0) return true;
  const Duration delay = now - last.at;
  if (delay <= delay_min_ || now - delay_min_at_ > kDelayMinFor) {
    delay_min_ = std::max(delay, Duration(1));
    delay_min_at_ = now;
  }
  const Duration took = std::max<Duration>(now - last.done_at, Duration(1000));
  if (last.limited || delay > delay_min_ + kQueueMax) {
    rate_ = (done - last.done_before) * 1'000'000 / static_cast<std::uint64_t>(took.count());
  }
  found_ = found_ || delay > delay_min_ + kQueueMax / 2;
  if (delay > delay_min_ + kQueueMax) {
    // Once a round trip: what was sent before the last narrowing says nothing new.
    if (last.at < narrowed_at_) return true;
    narrowed_at_ = now;
    flight_max_ = std::clamp(bytes_in(rate_, delay_min_ + kQueueMax / 2), kFlightMin, kFlightMax);
  } else if (last.limited && delay <= delay_min_ + kQueueMax / 2) {
    // Twice as much each round trip until it has been enough once, then a frame more.
    const std::uint64_t step = found_ ? more * frame_bytes() / flight_max_ : more;
    flight_max_ = std::min(flight_max_ + step, kFlightMax);
  }
  return true;
}

std::uint64_t Pace::room() const {
  const std::uint64_t flight = flight_max_ > in_flight() ? flight_max_ - in_flight() : 0;
  return std::min(window(), flight);
}

std::uint64_t Pace::frame_bytes() const {
  if (rate_ == 0) return std::clamp(flight_max_ / 4, kFrameMin, kFrameMax);
  return std::clamp(std::min(bytes_in(rate_, kFrameTime), flight_max_ / 2), kFrameMin, kFrameMax);
}

}  // namespace marram::mesh
