// What is history, and what is still owed: to a durable consumer here, or to a peer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/store/consumer_table.h"
#include "core/store/hold_table.h"
#include "core/store/log_table.h"

namespace marram::store {

class Holds {
 public:
  // All outlive the object.  A consumer not seen for `idle_max` holds nothing.
  Holds(ConsumerTable& consumers, const HoldTable& peers, const StreamTable& streams,
        Duration idle_max);
  // Replaces those there are.
  void set_pins(const std::vector<Pin>& pins);

  // Everything in the log up to here is history: every durable consumer whose
  // filters can concern its stream has had it, and every hold and pin.  May be a moment old,
  // and then low.  Nothing of a new copy is, for its first 30 s: until the mesh has said
  // for whom it is.
  std::uint64_t history(const LogState& log, WallTime now);

  // What history() remembers is not to be trusted any more.
  void forget() { cached_.clear(); }

  // Who has the most of the log before him; empty: nobody holds anything.
  std::string slowest(const LogState& log, WallTime now);

 private:
  struct Cached {
    std::uint64_t upto = 0;
    WallTime at{};
  };

  void find_concerns(StoredConsumer& consumer) const;
  // The cursor of one who holds events of the log; empty: he holds none.
  std::optional<std::uint64_t> cursor(StoredConsumer& consumer, const LogState& log,
                                      WallTime now) const;

  std::uint64_t find_history(const LogState& log, WallTime now);

  ConsumerTable& consumers_;
  const HoldTable& peers_;
  const StreamTable& streams_;
  const Duration idle_max_;
  std::unordered_map<std::uint32_t, std::uint64_t> pins_;  // by log
  std::uint64_t lowered_ = 0;
  std::unordered_map<std::uint32_t, Cached> cached_;  // by log
};

}  // namespace marram::store
