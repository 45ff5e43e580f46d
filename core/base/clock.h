// Time, as the parts of Marram that decide are told it.
//
// TimePoint is steady and drives timers; WallTime is what events carry and
// people read: microseconds since 1970-01-01T00:00:00Z.  Decisions never ask
// for the time; they are given it.  Only I/O code holds a Clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace marram {

using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::sys_time<Duration>;

// Threads: all functions may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;

  // The clock of this machine; lives as long as the program.
  static const Clock& system();
};

// "2026-11-24T05:23:35.000123Z".
std::string iso_text(WallTime time);

// RFC 3339 text, or "-1h" for one hour before `now`.
//
// Errors: Invalid  neither of the two
Result<WallTime> parse_time(std::string_view text, WallTime now);

}  // namespace marram
