// Who has what of a log, as the map says, and which of them is the root of a position.
//
// The root is the origin while it writes the log and can be reached; else the
// announced whole copy that contains the position (highest upto, then smallest id); if none
// does, the origin.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/mesh/logs.h"
#include "core/mesh/map.h"

namespace marram::mesh {

class Sources {
 public:
  // `map` outlives the object.
  Sources(std::string node_id, Map& map) : node_id_(std::move(node_id)), map_(map) {}

  bool origin_reachable(const Log& log) { return map_.reachable(log.id.origin); }
  // Nobody writes it any more.  A log of whose origin nothing is known may be open.
  bool closed(const Log& log);
  // Its origin writes it and can be reached.
  bool live(const Log& log) { return !closed(log) && origin_reachable(log); }
  // The node to ask for a position; empty: nobody can be reached.  Never this node, unless it is
  // the origin.
  std::string root(const Log& log, std::uint64_t position);
  // How far the log goes, as far as somebody who can be reached announces it.
  std::uint64_t end(const Log& log);
  // The same, and as neighbours say: the map does not tell how far a log goes that its origin
  // writes.
  std::uint64_t known_end(const Log& log);
  // The lowest position from `position` on that an announced copy has; empty: none.
  std::optional<std::uint64_t> next_announced(const Log& log, std::uint64_t position);
  // Whether this node has to announce what it has of a log.
  bool must_announce(const Log& log);
  // Announced by somebody else who has events of it.
  bool announced_events(const Log& log);

 private:
  struct Copy {
    std::string node_id;
    std::uint64_t first;
    std::uint64_t upto;
    bool has(std::uint64_t position) const { return first <= position && position <= upto; }
  };
  const std::vector<Copy>& copies(const Log& log);

  std::string node_id_;
  Map& map_;
  std::uint64_t indexed_ = 0;
  std::map<LogId, std::vector<Copy>, LogIdLess> index_;
  std::vector<Copy> none_;
};

}  // namespace marram::mesh
