// The events' rows, keyed by position (log number and seq).
#pragma once

#include <string>

#include "core/event/event.h"
#include "core/store/sqlite.h"

namespace marram::store {

// Writes and deletes; what reads is core/store/event_reader.h.
class EventTable {
 public:
  Status prepare(Connection& connection);

  // `total`: bytes of the log up to and including this event.
  Status insert(const EventView& event, std::uint64_t total);
  // Deletes a stretch of one log, both ends included.
  Status erase(Position from, Position to);

 private:
  Statement insert_;
  Statement erase_;
  std::string headers_;
};

}  // namespace marram::store
