// What is history, and what is still owed to a durable consumer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/store/consumer_table.h"
#include "core/store/log_table.h"

namespace marram::store {

class Holds {
 public:
  // Both outlive the object.  A consumer not seen for `idle_max` holds nothing.
  Holds(ConsumerTable& consumers, const StreamTable& streams, Duration idle_max);

  // Everything in the log up to here is history: every durable consumer whose
  // filters can concern its stream has had it.  May be a moment old, and then low.
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

  ConsumerTable& consumers_;
  const StreamTable& streams_;
  const Duration idle_max_;
  std::uint64_t lowered_ = 0;
  std::unordered_map<std::uint32_t, Cached> cached_;  // by log
};

}  // namespace marram::store
