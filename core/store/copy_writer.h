// Stores stretches of copies: what a CopyWrite asks for, within the open transaction.
//
// Events of the main copy go behind its last one, as those of an own log do.  Those of a
// backfill come behind later ones; what is stored already stays as it is.
#pragma once

#include <cstdint>

#include "core/store/copy_table.h"
#include "core/store/event_table.h"
#include "core/store/gap_table.h"
#include "core/store/log_table.h"

namespace marram::store {

class CopyWriter {
 public:
  struct Tables {
    const StreamTable& streams;
    LogTable& logs;
    EventTable& events;
    GapTable& gaps;
    CopyTable& copies;
  };
  // All outlive the object.
  explicit CopyWriter(Tables tables) : tables_(tables) {}

  // Whether apply() can be done; changes nothing.
  // Errors: Invalid  it is not where the copy stands, or makes no sense
  Status check(const CopyWrite& write) const;
  // What it takes in the database, rather too much than too little; 0: nothing to speak of.
  std::uint64_t bytes(const CopyWrite& write) const;

  // Does it; the events get their log number.  `now` counts for a new copy.
  Result<LogState*> apply(CopyWrite& write, WallTime now);

 private:
  Result<LogState*> log_for(const CopyWrite& write, WallTime now);
  Status add_events(LogState& log, EventBatch& events, bool backfill);
  Status add_event(LogState& log, const EventView& event, bool backfill);
  void limit_to_what_is_left(const LogRecord& record, CopyWrite& write) const;
  void move(LogState& log, const CopyWrite& write) const;
  Status change(LogState& log, CopyWrite& write);
  Status change_backfill(LogState& log, CopyWrite& write);

  Tables tables_;
};

}  // namespace marram::store
