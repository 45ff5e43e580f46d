// The filters of one reader, for events that the node's trie has not matched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/event/filter_record.h"
#include "core/event/filter_trie.h"

namespace marram {

class FilterSet {
 public:
  FilterSet() = default;
  explicit FilterSet(std::vector<FilterRecord> filters);

  // Whether one of the filters matches an event recorded then.
  bool match(std::string_view topic, WallTime recorded) const;
  // Whether everything matches, whenever it was recorded.
  bool matches_all() const;
  const std::vector<FilterRecord>& filters() const { return filters_; }

  // The filters that replace these: one that stays keeps its moment, a new one
  // counts after `now`.  Repeats are dropped.
  std::vector<FilterRecord> replaced_by(const std::vector<std::string>& filters,
                                        WallTime now) const;

 private:
  static constexpr std::size_t kFewMax = 8;  // a loop over so many beats a trie

  std::vector<FilterRecord> filters_;
  std::optional<FilterTrie> trie_;
  mutable std::vector<FilterTrie::Value> matched_;
};

}  // namespace marram
