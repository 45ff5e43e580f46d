// Decides which events go, and deletes them, a bounded stretch at a time.
//
// History goes for age and bytes of its stream, and when space is needed; what is
// owed to a durable consumer or a peer goes only by the stream's ttl, or as drop_oldest()
// is asked to, and leaves a gap.  History leaves one in a log that this run writes, whose
// word on what is gone counts everywhere.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/store/copy_table.h"
#include "core/store/event_table.h"
#include "core/store/gap_table.h"
#include "core/store/holds.h"
#include "core/store/log_table.h"

namespace marram::store {

// What StoreListener::on_trimmed() is told.
struct Trim {
  std::uint32_t log = 0;
  std::uint64_t first = 1;
  Gap gap;
  std::uint64_t owed = 0;  // events
};

class Retention {
 public:
  struct Tables {
    const StreamTable& streams;
    LogTable& logs;
    EventTable& events;
    GapTable& gaps;
    CopyTable& copies;
    Holds& holds;
  };
  // All outlive the object.
  explicit Retention(Tables tables) : tables_(tables) {}

  // Some stream has an age, a ttl or a number of bytes.
  bool has_rules() const;
  // One stretch of what the rules ask for.  True: there is more.
  Result<bool> slice(WallTime now);

  // Deletes about `bytes` of history, the oldest of all logs first.  The answer is
  // what came free; 0: there is no history.
  Result<std::uint64_t> free_history(std::uint64_t bytes, WallTime now);
  // Deletes about `bytes` of a stream's oldest events, owed or not.  0: none is left.
  Result<std::uint64_t> drop_oldest(std::size_t stream, std::uint64_t bytes, WallTime now);

  bool has_trims() const { return !trims_.empty(); }
  // Since the last call, in order.
  std::vector<Trim> take_trims() { return std::exchange(trims_, {}); }

 private:
  // Up to where a rule asks to cut, and what it says of owed events.
  struct Cut {
    std::uint64_t upto = 0;
    const char* reason = "retention";
  };

  Result<Cut> cut_by_rules(LogState& log, WallTime now);
  std::uint64_t stream_bytes(std::size_t stream) const;
  Result<std::uint64_t> upto_before(LogState& log, WallTime time);
  Result<std::uint64_t> upto_bytes(const LogState& log, std::uint64_t bytes);
  template <class Reached>
  Result<std::uint64_t> first_that(const LogState& log, Reached reached);
  Result<WallTime> first_recorded(LogState& log);
  Result<std::uint64_t> trim(LogState& log, Cut cut, WallTime now);
  Result<std::uint64_t> bounded(const LogState& log, std::uint64_t upto);
  Result<EventTable::Weight> weigh(const LogState& log, std::uint64_t upto);
  Status note(LogState& log, Cut cut, WallTime now);
  Status note_history(const LogState& log, std::uint64_t upto);
  Status note_owed(const LogState& log, Cut cut, std::uint64_t history);

  Tables tables_;
  std::vector<Trim> trims_;
};

}  // namespace marram::store
