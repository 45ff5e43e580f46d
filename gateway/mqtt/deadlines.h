// When which connection is to be looked at again: one heap for all, so that a
// connection needs no timer of its own.  A later deadline costs nothing: the
// entry stays where it is, and whoever is looked at too early is put in again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "core/base/clock.h"

namespace marram::mqtt {

// A connection; the generation tells it from an earlier one in the same place.
struct Handle {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool operator==(const Handle&) const = default;
};

class Deadlines {
 public:
  void add(TimePoint when, Handle who) { heap_.push({when, who}); }

  std::optional<TimePoint> first() const {
    return heap_.empty() ? std::nullopt : std::optional(heap_.top().when);
  }

  // Empty when the first one is later than `now`.
  std::optional<Handle> take_due(TimePoint now) {
    if (heap_.empty() || heap_.top().when > now) return {};
    const Handle who = heap_.top().who;
    heap_.pop();
    return who;
  }

 private:
  struct Entry {
    TimePoint when;
    Handle who;
    bool operator>(const Entry& other) const { return when > other.when; }
  };
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

}  // namespace marram::mqtt
