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

void MoveQueue::wait(TimePoint now) {
  if (empty()) due_at_ = now - events_committed_ < kEventsKeepComing ? now + kWait : now;
}

void MoveQueue::add(const std::vector<CursorMove>& moves, TimePoint now) {
  if (moves.empty()) return;
  wait(now);
  moves_.insert(moves_.end(), moves.begin(), moves.end());
}

void MoveQueue::add(const std::vector<HoldMove>& moves, WallTime contact, TimePoint now) {
  if (moves.empty()) return;
  wait(now);
  contact_ = contact;
  for (const HoldMove& move : moves) {
    auto& acked = hold_moves_[{move.peer, move.stream, move.log}];
    acked = std::max(acked, move.acked);
  }
}

void MoveQueue::drop(const std::string& peer, const std::string& stream) {
  std::erase_if(hold_moves_, [&](const auto& move) {
    return std::get<0>(move.first) == peer && std::get<1>(move.first) == stream;
  });
}

void MoveQueue::set(const MeshFacts& facts, TimePoint now) {
  wait(now);
  facts_ = facts;
}

bool MoveQueue::due(TimePoint now) const {
  return !empty() && (now >= due_at_ || moves_.size() >= kWaitMax);
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

std::vector<HoldMove> MoveQueue::hold_moves() const {
  std::vector<HoldMove> moves;
  for (const auto& [key, acked] : hold_moves_) {
    const auto& [peer, stream, log] = key;
    moves.push_back({peer, stream, log, acked});
  }
  return moves;
}

std::vector<CursorMove> MoveQueue::take() {
  hold_moves_.clear();
  facts_.reset();
  return std::exchange(moves_, {});
}

}  // namespace marram::store
