// Who is known, and whether all of them are here.
//
// A node that cannot be reached may keep what nobody else has.  Who could be reached once is known
// for `expire` after that, across restarts too.  What only other nodes remember, because they were
// started again, they tell with `misses` in their records.  Nodes with one link that have never
// written are in no map, and keep nothing for others.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/mesh/map.h"
#include "core/mesh/values.h"

namespace marram::mesh {

class Roll {
 public:
  struct Options {
    std::string node_id;
    std::size_t nodes_max = 16'384;  // with more it cannot be said that all are here
    Duration expire = std::chrono::hours(24 * 30);
    bool clock_suspect = false;  // when this node was started
  };
  explicit Roll(Options options) : options_(std::move(options)) {}

  // What was stored: days().
  void load(const std::map<std::string, std::int64_t>& days, Now now);
  // Looks at who can be reached.  `held_for_here`: those for whom something is held, who need not
  // be in the map, can.  True: days() has changed.
  bool look(Map& map, bool held_for_here, Now now);
  // It is not waited for, unless it is here again.
  void forget(const std::string& node_id, TimePoint now);

  // By node, on which day since 1970 it could be reached last; -1: it is forgotten.
  std::map<std::string, std::int64_t> days() const;
  // Since when all are here, and nobody was new; empty: somebody is not here.
  std::optional<TimePoint> complete_since() const { return complete_since_; }
  // Somebody is not here of whom the map does not tell.
  bool misses() const { return misses_; }

 private:
  struct Node {
    std::int64_t day = 0;
    TimePoint until{};  // waited for, if it is not reached before
  };

  Options options_;
  std::map<std::string, Node> nodes_;
  std::optional<TimePoint> complete_since_;
  bool misses_ = false;
};

}  // namespace marram::mesh
