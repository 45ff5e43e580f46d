#include "core/mesh/pace.h"

#include <doctest/doctest.h>

#include <deque>

namespace marram::mesh {

namespace {

constexpr std::uint64_t kWindow = 4 << 20;

// A link of so many bytes a second with a delay; credit comes back when a frame has crossed.
class Line {
 public:
  Line(Pace& pace, std::uint64_t rate, Duration delay) : pace_(pace), rate_(rate), delay_(delay) {
    pace_.on_window(kWindow);
  }

  // As much as may be sent, for so long.
  void run(Duration time) {
    const TimePoint end = now_ + time;
    for (; now_ < end; now_ += std::chrono::milliseconds(1)) {
      while (!flying_.empty() && flying_.front().second <= now_) {
        done_ += flying_.front().first;
        flying_.pop_front();
        REQUIRE(pace_.on_credit(kWindow + done_, kWindow, now_));
      }
      while (pace_.room() >= pace_.frame_bytes()) {
        const std::uint64_t bytes = pace_.frame_bytes();
        free_ =
            std::max(free_, now_) + Duration(static_cast<std::int64_t>(bytes * 1'000'000 / rate_));
        flying_.emplace_back(bytes, free_ + delay_);
        pace_.on_sent(bytes, now_);
      }
    }
  }
  std::uint64_t done() const { return done_; }
  Duration queued() const { return free_ > now_ ? free_ - now_ : Duration(0); }

 private:
  Pace& pace_;
  std::uint64_t rate_;
  Duration delay_;
  TimePoint now_{std::chrono::seconds(100)};
  TimePoint free_{};
  std::uint64_t done_ = 0;
  std::deque<std::pair<std::uint64_t, TimePoint>> flying_;
};

TEST_SUITE_BEGIN("mesh/pace");

TEST_CASE("a slow link is kept busy, with less than a second of data in its buffers") {
  Pace pace;
  Line line(pace, 6'250, std::chrono::milliseconds(200));

  line.run(std::chrono::seconds(60));

  CHECK(line.done() > 60 * 6'250 * 8 / 10);
  CHECK(line.queued() < std::chrono::milliseconds(1000));
  CHECK(pace.frame_bytes() <= 2 * Pace::kFrameMin);
}

TEST_CASE("a fast link is filled") {
  Pace pace;
  Line line(pace, 100'000'000, std::chrono::milliseconds(5));

  line.run(std::chrono::seconds(5));

  CHECK(line.done() > std::uint64_t{5} * 100'000'000 / 2);
  CHECK(pace.frame_bytes() == Pace::kFrameMax);
}

TEST_CASE("no more than the peer's window is on its way") {
  Pace pace;
  pace.on_window(3'000);

  pace.on_sent(2'000, {});

  CHECK(pace.room() == 1'000);
  CHECK(pace.in_flight() == 2'000);
}

TEST_CASE("credit for more than was sent is refused") {
  Pace pace;
  pace.on_window(kWindow);
  pace.on_sent(100, {});

  CHECK_FALSE(pace.on_credit(kWindow + 101, kWindow, {}));
  CHECK(pace.on_credit(kWindow + 100, kWindow, {}));
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
