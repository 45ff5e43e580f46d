// The PUBLISH frames of one client that have no answer yet, in order.
//
// Events of a frame that break a rule are refused at once, the others are stored;
// the answer speaks of all of them in the order of the frame, and leaves only
// after those of the frames before.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/event/bus.h"
#include "core/wire/frames.h"

namespace marram {

class PublishQueue {
 public:
  // Outcomes of events that are not stored, by their index in the frame, growing.
  using Refusals = std::vector<std::pair<std::size_t, Error>>;

  // A frame of `bytes` with `events` events; those that are not refused were
  // handed to the store, if there are any.
  void add(std::uint64_t number, std::size_t bytes, std::size_t events, Refusals refused);
  // The store's answer to the oldest frame that waits for one.
  void on_stored(const Published& published);

  // The next answer that can leave.
  std::optional<wire::PublishAnswer> take();

  std::size_t unanswered_bytes() const { return bytes_; }
  bool empty() const { return frames_.empty(); }

 private:
  struct Frame {
    std::uint64_t number;
    std::size_t bytes;
    std::size_t events;
    Refusals refused;
    bool stored;  // nothing is waited for any more
    std::vector<wire::Run> runs;
  };
  static void finish(Frame& frame, const Published* published);

  std::deque<Frame> frames_;
  std::size_t bytes_ = 0;
};

}  // namespace marram
