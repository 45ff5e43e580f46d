// Who was refused and why: each once in the log, all counted.
//
// What a stranger can repeat does not fill the log: the same refusal of the same somebody
// is logged once, and no more than one a second; the rest shows in the counts.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace marram {

class Refusals {
 public:
  explicit Refusals(Log& log) : log_(log) {}

  // `reason` is a word of a small set ("untrusted"), `who` an address or id, `message` for
  // people.
  void add(const std::string& reason, const std::string& who, const std::string& message,
           TimePoint now);

  // How many, by reason.
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
  // Who was refused may be told again: the rules are others now.
  void forget() { told_.clear(); }

 private:
  Log& log_;
  std::map<std::string, std::uint64_t> counts_;
  std::set<std::pair<std::string, std::string>> told_;
  TimePoint log_at_{};
  std::uint64_t untold_ = 0;
};

}  // namespace marram
