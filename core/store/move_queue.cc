#include "core/store/move_queue.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace marram::store {

namespace {

constexpr Duration kWait = std::chrono::milliseconds(5);
constexpr Duration kEventsKeepComing = std::chrono::milliseconds(10);
constexpr std::size_t kWaitMax = 10'000;

}  // namespace

void MoveQueue::add(const std::vector<CursorMove>& moves, TimePoint now) {
  if (moves.empty()) return;
  if (moves_.empty()) due_at_ = now - events_committed_ < kEventsKeepComing ? now + kWait : now;
  moves_.insert(moves_.end(), moves.begin(), moves.end());
}

bool MoveQueue::due(TimePoint now) const {
  return !moves_.empty() && (now >= due_at_ || moves_.size() >= kWaitMax);
}

const std::vector<CursorMove>& MoveQueue::fold() {
  std::sort(moves_.begin(), moves_.end(), [](const CursorMove& a, const CursorMove& b) {
    return std::tie(a.consumer, a.log, a.upto) < std::tie(b.consumer, b.log, b.upto);
  });
  std::size_t kept = 0;
  for (const CursorMove& move : moves_) {
    const bool again =
        kept > 0 && moves_[kept - 1].consumer == move.consumer && moves_[kept - 1].log == move.log;
    moves_[again ? kept - 1 : kept++] = move;
  }
  moves_.resize(kept);
  return moves_;
}

std::vector<CursorMove> MoveQueue::take() { return std::exchange(moves_, {}); }

}  // namespace marram::store
