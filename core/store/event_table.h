// The events' rows, keyed by position (log number and seq).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/event/event.h"
#include "core/store/sqlite.h"

namespace marram::store {

// Writes, deletes, and looks up where to cut; what reads events is
// core/store/event_reader.h.
class EventTable {
 public:
  // Of one row.
  struct Mark {
    std::uint64_t seq = 0;
    WallTime recorded{};
    std::uint64_t total = 0;
  };

  Status prepare(Connection& connection);

  // `total`: bytes of the log up to and including this event.
  Status insert(const EventView& event, std::uint64_t total);
  // Deletes a stretch of one log, both ends included.
  Status erase(Position from, Position to);

  // The first and the last row of a stretch, both ends included; empty: no row.
  Result<std::optional<Mark>> first(Position from, Position to);
  Result<std::optional<Mark>> last(Position from, Position to);

 private:
  void bind_optional(int parameter, std::string_view text);

  Statement insert_;
  std::uint32_t bound_ = 0;  // parameters of insert_ that are not NULL, of the optional ones
  Statement erase_;
  Statement first_;
  Statement last_;
  std::string headers_;
};

}  // namespace marram::store
