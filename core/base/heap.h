// What the allocator keeps of a process that carries events.
//
// glibc returns the end of its heap to the kernel as soon as 128 KiB of it are free, and
// takes it again, page by page, for the next frame: a quarter of what it costs to carry an
// event in memory.  A program of Marram keeps some while it is busy and returns it at rest.
// For programs only: a library leaves the allocator to its host.  See mallopt(3),
// M_TRIM_THRESHOLD; with another C library than glibc both functions do nothing.
#pragma once

#include <optional>

#include "core/base/clock.h"

namespace marram {

// Up to 8 MiB of each arena stay with the process.  Before threads are started.
void keep_freed_memory();

// Returns whatever is free.  Some milliseconds for a large heap.
void return_freed_memory();

// When a process has come to rest after it was busy: time to return what is free.
//
// Threads: one at a time.
class RestWatch {
 public:
  // `used` is the processor time of the process so far.  True once for each busy time, when
  // less than 1 % of a processor was used since the last call.
  bool came_to_rest(TimePoint now, Duration used);

 private:
  static constexpr int kRestShare = 100;

  struct Look {
    TimePoint at;
    Duration used;
  };
  std::optional<Look> last_;
  bool was_busy_ = false;
};

}  // namespace marram
