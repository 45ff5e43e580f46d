// The logs that a node knows, how far they go, and which follows which.
//
// A lane is the logs of one origin and stream, in the order of their epochs: a
// reader finishes the older run before it begins the newer one.  Lanes are
// independent of each other.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "core/event/event.h"

namespace marram {

struct KnownLog {
  std::uint32_t no = 0;
  LogId id;
  bool open = false;        // may grow
  bool memory = false;      // not on disk
  bool copy = false;        // read by each reader only as far as its owner is told
  bool own = true;          // of a copy: this node wrote it, so a reader can tell where to begin
  std::uint64_t first = 1;  // lowest stored seq
  std::uint64_t head = 0;   // highest committed seq, as far as the owner was told
  // Up to here somebody's events were dropped, the last ones for this reason.
  std::uint64_t dropped = 0;
  std::string dropped_for;
  std::uint32_t lane = 0;
  std::uint64_t order = 0;  // within the lane: the epoch's start number
};

class LogTable {
 public:
  // `lane` and `order` are worked out; a log that is there already is replaced.
  const KnownLog& add(KnownLog log);
  const KnownLog* find(std::uint32_t no) const;
  // Null when there is no such log.
  KnownLog* find(std::uint32_t no);
  void erase(std::uint32_t no) { logs_.erase(no); }
  const std::map<std::uint32_t, KnownLog>& all() const { return logs_; }

 private:
  std::map<std::uint32_t, KnownLog> logs_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> lanes_;
};

}  // namespace marram
