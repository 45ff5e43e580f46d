// Who is known, and whether all of them are here.
//
// A node that cannot be reached may keep what nobody else has.  Who has been in the map is known
// for `expire` after it could be reached last, across restarts too; so nothing that somebody may
// come back with is given up.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/mesh/map.h"
#include "core/mesh/values.h"

namespace marram::mesh {

class Roll {
 public:
  struct Options {
    std::string node_id;
    std::size_t nodes_max = 16'384;  // more are not remembered
    Duration expire = std::chrono::hours(24 * 30);
    bool clock_suspect = false;  // when this node was started
  };
  explicit Roll(Options options) : options_(std::move(options)) {}

  // What was stored: by node, on which day since 1970 it could be reached last.
  void load(const std::map<std::string, std::int64_t>& days, Now now);
  // Looks at who can be reached.  `others_here`: that others, who need not be in the map, are here.
  // True: days() has changed.
  bool look(Map& map, bool others_here, Now now);
  // It is not waited for, unless it comes back.
  bool forget(const std::string& node_id) {
    forgotten_.insert(node_id);
    return nodes_.erase(node_id) != 0;
  }

  std::map<std::string, std::int64_t> days() const;
  // Since when all are here; empty: somebody is not.
  std::optional<TimePoint> complete_since() const { return complete_since_; }

 private:
  struct Node {
    std::int64_t day = 0;
    TimePoint until{};  // known, if it is not reached before
  };

  Options options_;
  std::map<std::string, Node> nodes_;
  std::set<std::string> forgotten_;
  std::optional<TimePoint> complete_since_;
};

}  // namespace marram::mesh
