// How long to wait before the next try: doubling from `least` to `most`, each
// wait drawn from the upper half, so that many nodes do not try in step.
#pragma once

#include <cstdint>

#include "core/base/clock.h"

namespace marram {

class Backoff {
 public:
  Backoff(Duration least, Duration most) : least_(least), most_(most), step_(least) {}

  // `random` may be any number; the same one gives the same wait.
  Duration next(std::uint32_t random);
  void reset() { step_ = least_; }

 private:
  Duration least_;
  Duration most_;
  Duration step_;
};

}  // namespace marram
