#include "core/base/heap.h"

#include <malloc.h>

namespace marram {

#ifdef __GLIBC__

void keep_freed_memory() {
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
  // Which any of these settings keeps from growing by itself: blocks below it are kept too.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

void return_freed_memory() { ::malloc_trim(0); }

#else

void keep_freed_memory() {}
void return_freed_memory() {}

#endif

bool RestWatch::came_to_rest(TimePoint now, Duration used) {
  const Look last = last_.value_or(Look{now, used});
  last_ = Look{now, used};
  const bool busy = (used - last.used) * kRestShare > now - last.at;
  const bool rests = was_busy_ && !busy;
  was_busy_ = busy;
  return rests;
}

}  // namespace marram
