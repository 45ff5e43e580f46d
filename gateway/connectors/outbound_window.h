// The events that an out route has taken and that the outside has not yet
// acknowledged, in order: which to send next, which to send again.
//
// It decides and never acts.  Events are sent one behind the other over one
// connection; when that is lost everything unacknowledged is sent again in
// order, so no event of a key overtakes another for good.
//
//     waiting --next()--> sent --done()--> gone
//        ^                  |
//        +---- on_lost() ---+
//
// A broker may end the connection because of one event and not say which.  Then
// the window goes *careful*: one event at a time, until those that were in
// flight are through or one stands alone and is to blame.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_set>

#include "core/event/event.h"

namespace marram {

class OutboundWindow {
 public:
  struct Item {
    std::uint64_t serial = 0;          // grows in the order of sending
    const EventView* event = nullptr;  // until done(serial)
  };
  struct Blame {
    std::uint64_t serial = 0;
    bool certain = false;  // the broker named the reason; else it lost the connection
                           // three times over this event alone
  };

  // At most `size` events are sent and not acknowledged.
  explicit OutboundWindow(std::size_t size) : size_(size), limit_(size) {}

  // Takes an event as it was handed out; one that is here already changes nothing.
  void add(EventBatchPtr batch, std::uint32_t index);

  // The next to send; it counts as sent.  Empty: nothing waits, or the window is full.
  std::optional<Item> next();

  // The outside has acknowledged it, or the route gives it up.  Its position is to
  // be settled; empty for a serial that is not here (any more).
  std::optional<Position> done(std::uint64_t serial);

  const EventView* find(std::uint64_t serial) const;

  // A new connection, to a broker that takes `receive_maximum` at a time.
  void on_connected(std::size_t receive_maximum);

  // The connection is gone; all that is unacknowledged waits again.  `one_is_bad`:
  // the broker has said that it was because of an event.
  std::optional<Blame> on_lost(bool one_is_bad);

  // The same, where it was the route itself that ended the connection.
  void rewind();

  std::size_t size() const { return items_.size() - gone_; }
  std::size_t in_flight() const { return in_flight_; }
  bool careful() const { return careful_until_ != 0; }

 private:
  struct Held {
    EventBatchPtr batch;  // null: done
    std::uint32_t index = 0;
    bool sent = false;
  };

  Held* held(std::uint64_t serial);
  const EventView& event_of(const Held& item) const { return item.batch->events()[item.index]; }
  std::optional<Blame> judge(bool one_is_bad);

  std::size_t size_;
  std::size_t limit_;
  std::deque<Held> items_;  // items_[0] has serial first_
  std::uint64_t first_ = 1;
  std::size_t next_ = 0;  // index of the first that was not sent
  std::size_t gone_ = 0;  // done, but behind one that is not
  std::size_t in_flight_ = 0;
  std::unordered_set<std::int64_t> positions_;
  std::uint64_t careful_until_ = 0;  // this serial and those before go one by one
  bool acknowledged_ = false;        // something, over this connection
  int fruitless_ = 0;                // connections lost in a row with nothing acknowledged
  int alone_ = 0;                    // the same, with one event in flight
};

}  // namespace marram
