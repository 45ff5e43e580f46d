// What is held for peers: their standing wants, with what they may still need.
//
// Like the other tables it is part of the open transaction, and is loaded again after
// a failed one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/event/log_record.h"
#include "core/store/log_table.h"
#include "core/store/sqlite.h"

namespace marram::store {

class HoldTable {
 public:
  // `logs` outlives the table.
  explicit HoldTable(const LogTable& logs) : logs_(logs) {}
  Status load(Connection& connection);

  // Makes a hold, or sets the entries that it names: logs that were made since may have others.
  // Entries of logs that are not there are left out.
  Status put(const HoldRecord& hold);
  Status remove(const std::string& peer, const std::string& stream);
  // Never goes back; a log without an entry gets one.  Holds and logs that are not there are
  // passed over.
  Status move(const HoldMove& move, WallTime contact);
  // A log that is new is held from its first event on, with its stream: in the transaction that
  // makes it, so that no crash comes between.
  Status hold_new(const LogRecord& log);
  // Forgets the entries of a log that is no more.
  Status forget_log(std::uint32_t log);

  std::vector<HoldRecord> all() const;
  bool empty() const { return holds_.empty(); }
  // Who needs something of the log, by what he needs nothing up to: the lowest.
  struct Lowest {
    std::uint64_t acked = HoldRecord::kReleased;
    const HoldRecord* hold = nullptr;  // null: nobody holds anything of it
  };
  Lowest lowest(std::uint32_t log) const;
  // Grows with every change that can hold back more than before.
  std::uint64_t lowered() const { return lowered_; }

 private:
  using Key = std::pair<std::string, std::string>;  // peer, stream

  Status load_logs(Connection& connection);
  Status write(HoldRecord& hold, std::uint32_t log, std::uint64_t acked);
  Status see(HoldRecord& hold, WallTime contact);

  const LogTable& logs_;
  std::map<Key, HoldRecord> holds_;
  std::unordered_map<std::uint32_t, std::vector<const HoldRecord*>> by_log_;
  std::uint64_t lowered_ = 0;
  Statement put_;
  Statement remove_;
  Statement put_log_;
  Statement remove_logs_;
  Statement forget_log_;
};

}  // namespace marram::store
