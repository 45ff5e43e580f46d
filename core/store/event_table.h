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
  // As insert(); false: the position is stored already, and stays as it is.
  Result<bool> insert_absent(const EventView& event, std::uint64_t total);
  // As insert_absent(), for an event that comes behind later ones of its log: it is not
  // in their totals.
  Result<bool> backfill(const EventView& event);
  // Deletes a stretch of one log, both ends included; the answer is how many rows.
  Result<std::uint64_t> erase(Position from, Position to);

  // The first and the last row of a stretch, both ends included; empty: no row.
  Result<std::optional<Mark>> first(Position from, Position to);
  Result<std::optional<Mark>> last(Position from, Position to);

  // What a stretch weighs.
  struct Weight {
    std::uint64_t total = 0;  // at its end
    std::uint64_t bytes = 0;  // backfilled ones too
  };
  // `trimmed` is the total before it.
  Result<Weight> weigh(Position from, Position to, std::uint64_t trimmed);
  Result<std::uint64_t> count(Position from, Position to);
  // The seq up to which the stretch has at least `bytes`, or as many rows as that; empty:
  // it has less of both.
  struct Measure {
    std::uint64_t trimmed = 0;
    std::uint64_t bytes = 0;
    std::uint64_t rows = 0;
  };
  Result<std::optional<std::uint64_t>> reach(Position from, Position to, const Measure& measure);

 private:
  struct Insert {
    Statement statement;
    std::uint32_t bound = 0;  // parameters that are not NULL, of the optional ones
  };
  static void bind_optional(Insert& insert, int parameter, std::string_view text);
  Status run(Insert& insert, const EventView& event, std::int64_t total);
  Result<bool> run_absent(const EventView& event, std::int64_t total);

  Insert insert_;
  Insert insert_absent_;
  Statement erase_;
  Statement first_;
  Statement last_;
  Statement weigh_;
  Statement count_;
  Statement walk_;
  std::string headers_;
};

}  // namespace marram::store
