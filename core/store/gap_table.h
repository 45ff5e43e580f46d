// Where events are missing and why: owed to someone here, gone from a log that this run
// writes, or told by those who a copy is from.
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

  // Remembers the gap, joined to the one before it where the reason is the same.  What a
  // gap covers already keeps its reason.
  Status add(const Gap& gap);
  // Counts events that were dropped from under someone.
  Status count(const std::string& reason, std::uint64_t events);
  // Forgets the gaps of a log that end at or before `upto`.
  Status forget(std::uint32_t log, std::uint64_t upto);
  Result<bool> has(std::uint32_t log);

  // Events dropped from under a durable reader since the database was made, by reason.
  const std::map<std::string, std::uint64_t>& dropped() const { return dropped_; }

 private:
  Status put(const Gap& gap);

  std::map<std::string, std::uint64_t> dropped_;
  Statement widen_;
  Statement insert_;
  Statement overlaps_;
  Statement count_;
  Statement forget_;
  Statement has_;
};

}  // namespace marram::store
