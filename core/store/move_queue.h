// What may wait for a commit: moves of cursors and holds, facts of the mesh.
//
// While events keep coming they travel with them; else they are committed by
// themselves, together with all that came meanwhile.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/clock.h"
#include "core/store/records.h"

namespace marram::store {

class MoveQueue {
 public:
  void add(const std::vector<CursorMove>& moves, TimePoint now);
  void add(const std::vector<HoldMove>& moves, WallTime contact, TimePoint now);
  // Forgets moves of a hold that is made anew, or removed.
  void drop(const std::string& peer, const std::string& stream);
  void set(const MeshFacts& facts, TimePoint now);
  void on_events_committed(TimePoint now) { events_committed_ = now; }

  bool empty() const { return moves_.empty() && hold_moves_.empty() && !facts_; }
  bool due(TimePoint now) const;
  // Only when it is not empty.
  TimePoint due_at() const { return due_at_; }

  // The furthest move of each consumer and log.
  const std::vector<CursorMove>& fold();
  // The furthest move of each hold and log.
  std::vector<HoldMove> hold_moves() const;
  WallTime contact() const { return contact_; }
  const std::optional<MeshFacts>& facts() const { return facts_; }

  // All of it is committed; the answer: the moves of cursors.
  std::vector<CursorMove> take();

 private:
  void wait(TimePoint now);

  std::vector<CursorMove> moves_;
  std::map<std::tuple<std::string, std::string, std::uint32_t>, std::uint64_t> hold_moves_;
  WallTime contact_{};
  std::optional<MeshFacts> facts_;
  TimePoint due_at_{};
  TimePoint events_committed_{};
};

}  // namespace marram::store
