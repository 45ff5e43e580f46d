// How fast something grows, from samples about a second apart.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/base/clock.h"

namespace marram {

class Meter {
 public:
  // `total` is what was counted since the beginning.
  void sample(std::uint64_t total, TimePoint now) {
    const std::chrono::duration<double> passed = now - at_;
    if (passed.count() < kLeastSeconds) return;
    const double rate = static_cast<double>(total - total_) / passed.count();
    // After a long silence the past says nothing.
    rate_ = passed.count() > 5 * kLeastSeconds ? rate : (rate_ + rate) / 2;
    total_ = total;
    at_ = now;
  }
  double per_second() const { return rate_; }

 private:
  static constexpr double kLeastSeconds = 0.8;

  std::uint64_t total_ = 0;
  TimePoint at_{};
  double rate_ = 0;
};

}  // namespace marram
