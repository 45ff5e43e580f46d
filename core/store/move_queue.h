// Moves of cursors that wait for a commit.
//
// While events keep coming they travel with them; else they are committed by
// themselves, together with all that came meanwhile.
#pragma once

#include <vector>

#include "core/base/clock.h"
#include "core/store/records.h"

namespace marram::store {

class MoveQueue {
 public:
  void add(const std::vector<CursorMove>& moves, TimePoint now);
  void on_events_committed(TimePoint now) { events_committed_ = now; }

  bool empty() const { return moves_.empty(); }
  bool due(TimePoint now) const;
  // Only when it is not empty.
  TimePoint due_at() const { return due_at_; }

  // The furthest move of each consumer and log.
  const std::vector<CursorMove>& fold();
  std::vector<CursorMove> take();

 private:
  std::vector<CursorMove> moves_;
  TimePoint due_at_{};
  TimePoint events_committed_{};
};

}  // namespace marram::store
