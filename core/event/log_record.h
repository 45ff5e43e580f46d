// A log as a node has it, and what the mesh asks of the store for logs of others.
//
// Here, below core/store and core/mesh, since the one keeps what the other decides.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/event/bus.h"
#include "core/event/event.h"
#include "core/event/stream.h"

namespace marram {

// From where on a filtered copy has what matches.
struct CopyFilter {
  std::string filter;
  std::uint64_t from = 1;  // everything that matches in from..head is stored, or a gap
  bool operator==(const CopyFilter&) const = default;
};

// A log, as far as this node has it: its own open one, or a copy (of a foreign log, or of
// one of its own from an earlier run, which is a copy like any other and may grow again
// from what peers have).
//
//     first                whole_from             head
//       |-- with holes -------|--- every event ----|      whole:    whole_from <= head + 1
//       |----- what matched the filters then ------|      filtered: whole_from == 0
//
// A log's own events have no holes.  In a copy a seq may be missing: below whole_from
// because nobody here wanted it, above because a gap lies there.  first == head + 1:
// nothing of it is stored.
struct LogRecord {
  std::uint32_t no = 0;
  LogId id;
  bool open = false;                // written by this run of this node
  std::uint64_t first = 1;          // lowest seq that may be stored; below it is trimmed or unknown
  bool trimmed = false;             // retention here took what was just below `first`
  std::uint64_t head = 0;           // the `upto` of a copy: everything wanted is here up to it
  std::uint64_t whole_from = 1;     // 0: a filtered copy
  std::vector<CopyFilter> filters;  // of a filtered copy
  std::string head_id;       // of the event at head, as id_text(); empty where it is not stored
  std::uint64_t events = 0;  // stored
  std::uint64_t bytes = 0;   // of them
  // Of a log in memory nothing is on disk: first is head + 1, and after a restart its
  // copies are as if they had never been.
  Durability durability = Durability::Fsync;
};

// A bounded fetch of what a copy lacks below its head; at most one a log.
struct BackfillRecord {
  std::uint64_t from = 1;
  std::uint64_t to = 0;
  std::uint64_t upto = 0;  // its progress; from - 1 at the beginning
  bool all = true;         // whole: it will lower whole_from; else `filters`
  std::vector<std::string> filters;
};

// A stretch of a foreign log, and what it makes of the copy.  All of it is one
// transaction: the log's row if it is new, the events, the gaps, the copy's numbers and
// filters, the backfill's progress.
struct CopyWrite {
  LogId log;
  Durability durability = Durability::Fsync;  // where no stream of that name is configured here
  // false: the main copy moves: `after` must be its head (of a new copy: anything, it
  // begins there: first = whole_from = after + 1).  true: the backfill moves: `after` must be its
  // `upto`.  Otherwise the write is refused (Invalid) and nothing changes.
  bool backfill = false;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;  // after <= upto; equal: only what follows below changes
  // Ascending, in (after, upto]; seq in position (its log number is set here), recorded as
  // its origin said.  A position that is stored already (from filtered days) stays as it is.
  std::unique_ptr<EventBatch> events;  // null: none
  std::vector<Gap> gaps;               // ascending, in (after, upto]; Gap::log is ignored

  // What changes with it; unset: stays.
  std::optional<std::uint64_t> whole_from;         // 0: filtered from now on
  std::optional<std::vector<CopyFilter>> filters;  // replaces them
  std::optional<BackfillRecord> begin_backfill;  // replaces the one there is, before `after` counts
  bool end_backfill = false;                     // forgets it
};

// A standing want of a peer, served here: what it may still need of a stream's logs.
struct HoldRecord {
  std::string peer;  // node id
  std::string stream;
  WallTime contact{};  // when the peer was last here
  // By log number: it needs nothing up to here.  kReleased: nothing at all.  A log without
  // an entry is not held for it.
  std::map<std::uint32_t, std::uint64_t> acked;

  static constexpr std::uint64_t kReleased = UINT64_MAX >> 1;
};

struct HoldMove {
  std::string peer;
  std::string stream;
  std::uint32_t log = 0;
  std::uint64_t acked = 0;
};

// Nothing above `upto` of a log may go as history, for want of memory's word: wants that
// run, backfills that are served.
struct Pin {
  std::uint32_t log = 0;
  std::uint64_t upto = 0;
};

// What the mesh must find again.
struct MeshFacts {
  std::uint64_t map_number = 0;  // of the last map record flooded
  std::uint64_t runs = 0;        // start number of the newest epoch of this node known anywhere
  // Other nodes, and on which day since 1970 each could be reached last; -1: it was revoked.
  std::map<std::string, std::int64_t> nodes;
  bool operator==(const MeshFacts&) const = default;
};

// What the store kept for the mesh when it was opened.
struct MeshRecords {
  std::map<std::uint32_t, BackfillRecord> backfills;  // by log number
  std::vector<HoldRecord> holds;
  MeshFacts facts;
};

// A stretch of one log, as read from disk.
struct ReadResult {
  EventBatchPtr batch;      // what was read, in order; possibly empty
  std::uint64_t upto = 0;   // everything up to here has been looked at
  std::vector<Gap> gaps;    // holes on the way, in order
  std::uint64_t first = 1;  // the log's, when it was read: nothing is said of what lies below
};

}  // namespace marram
