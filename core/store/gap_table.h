// Where events that were owed to someone are missing, why, and how many.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/event/bus.h"
#include "core/store/sqlite.h"

namespace marram::store {

class GapTable {
 public:
  Status load(Connection& connection);

  // Remembers the gap, joined to the one before it where the reason is the same,
  // and counts its events.
  Status add(const Gap& gap);
  // Forgets the gaps of a log that end at or before `upto`.
  Status forget(std::uint32_t log, std::uint64_t upto);
  Result<bool> has(std::uint32_t log);

  // Events dropped from under a durable reader since the database was made, by reason.
  const std::map<std::string, std::uint64_t>& dropped() const { return dropped_; }

 private:
  std::map<std::string, std::uint64_t> dropped_;
  Statement widen_;
  Statement insert_;
  Statement count_;
  Statement forget_;
  Statement has_;
};

}  // namespace marram::store
