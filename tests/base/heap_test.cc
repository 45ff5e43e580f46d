#include "core/base/heap.h"

#include <doctest/doctest.h>

using namespace marram;
using namespace std::chrono_literals;

namespace {

struct Process {
  RestWatch watch;
  TimePoint now{1h};
  Duration used{2s};

  bool look_after(Duration time, Duration work) {
    now += time;
    used += work;
    return watch.came_to_rest(now, used);
  }
};

}  // namespace

TEST_SUITE_BEGIN("base/heap");

TEST_CASE("a process that was busy comes to rest once") {
  Process process;
  process.look_after(0s, 0s);
  CHECK_FALSE(process.look_after(5s, 4s));
  CHECK_FALSE(process.look_after(5s, 100ms));
  CHECK(process.look_after(5s, 40ms));
  CHECK_FALSE(process.look_after(5s, 40ms));
  CHECK_FALSE(process.look_after(5s, 1s));
  CHECK(process.look_after(5s, 0s));
}

TEST_CASE("a process that was never busy does not come to rest") {
  Process process;
  CHECK_FALSE(process.look_after(0s, 0s));
  CHECK_FALSE(process.look_after(5s, 1ms));
  CHECK_FALSE(process.look_after(0s, 0s));
}
