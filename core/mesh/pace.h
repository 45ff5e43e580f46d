// How much data may be on its way to one peer, and in how large frames.
//
// Two bounds: the peer's window (what it is ready to hold, see CREDIT), and what the
// link carries in a moment, so that what is urgent does not wait behind megabytes in a
// slow link's buffers.  The second is found out: credit that comes back with little more
// than the shortest delay seen widens it, credit that took 300 ms longer narrows it to what
// the link has carried in that time; in between it stays.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <deque>

#include "core/base/clock.h"

namespace marram::mesh {

class Pace {
 public:
  static constexpr std::uint64_t kFrameMin = 1 << 10;
  static constexpr std::uint64_t kFrameMax = 64 << 10;

  void on_window(std::uint64_t granted) { granted_ = granted; }  // the peer's HELLO
  void on_sent(std::uint64_t bytes, TimePoint now);
  // False: more than was ever sent, plus the window: a broken peer.
  bool on_credit(std::uint64_t granted, std::uint64_t window, TimePoint now);

  // Bytes that may be sent now.  A frame may be larger than that if nothing is on its way
  // and the window allows.
  std::uint64_t room() const;
  // As far as the peer's window goes: for what is small and keeps its log alive.
  std::uint64_t window() const { return granted_ > sent_ ? granted_ - sent_ : 0; }
  std::uint64_t in_flight() const { return sent_ - done_; }
  std::uint64_t frame_bytes() const;
  std::uint64_t rate() const { return rate_; }  // bytes a second; 0: not known

 private:
  struct Sent {
    std::uint64_t upto;
    TimePoint at;
    std::uint64_t done_before;  // done_ then
    TimePoint done_at;
    bool limited;  // by flight_max_, not by lack of data
  };

  std::uint64_t granted_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t done_ = 0;              // credited
  std::uint64_t flight_max_ = 4 << 10;  // small: what is too much for a slow link is stuck in it
  std::uint64_t rate_ = 0;
  bool found_ = false;  // flight_max_ has been enough to fill the link
  Duration delay_min_ = Duration::max();
  TimePoint delay_min_at_{};
  TimePoint done_at_{};
  TimePoint narrowed_at_{};
  std::deque<Sent> sent_at_;
};

}  // namespace marram::mesh
