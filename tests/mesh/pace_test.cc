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

  void set_rate(std::uint64_t rate) { rate_ = rate; }
  // As much as may be sent, for so long.
  void run(Duration time) {
    queued_most_ = {};
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
      queued_most_ = std::max(queued_most_, free_ - now_);
    }
  }
  std::uint64_t done() const { return done_; }
  // At any time of the last run.
  Duration queued_most() const { return queued_most_; }

 private:
  Pace& pace_;
  std::uint64_t rate_;
  Duration delay_;
  TimePoint now_{std::chrono::seconds(100)};
  TimePoint free_{};
  std::uint64_t done_ = 0;
  Duration queued_most_{};
  std::deque<std::pair<std::uint64_t, TimePoint>> flying_;
};

TEST_SUITE_BEGIN("mesh/pace");

TEST_CASE("a slow link is kept busy, with half a second of data in its buffers") {
  Pace pace;
  Line line(pace, 6'250, std::chrono::milliseconds(400));

  line.run(std::chrono::seconds(4));
  CHECK(line.queued_most() < std::chrono::milliseconds(800));
  line.run(std::chrono::seconds(60));

  CHECK(line.done() > 60 * 6'250 * 9 / 10);
  CHECK(line.queued_most() < std::chrono::milliseconds(600));
  CHECK(pace.frame_bytes() <= 2 * Pace::kFrameMin);
}

TEST_CASE("a link that becomes faster is filled again") {
  Pace pace;
  Line line(pace, 6'250, std::chrono::milliseconds(200));

  line.run(std::chrono::seconds(20));
  line.set_rate(1'250'000);
  line.run(std::chrono::seconds(20));
  const std::uint64_t before = line.done();
  line.run(std::chrono::seconds(5));

  CHECK(line.done() - before > std::uint64_t{5} * 1'250'000 * 8 / 10);
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
