#include "core/delivery/filter_set.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/event/topic.h"

namespace marram {

FilterSet::FilterSet(std::vector<FilterRecord> filters) : filters_(std::move(filters)) {
  if (filters_.size() <= kFewMax) return;
  trie_.emplace();
  for (std::size_t i = 0; i < filters_.size(); ++i) {
    trie_->insert(filters_[i].filter, static_cast<FilterTrie::Value>(i));
  }
}

bool FilterSet::match(std::string_view topic, WallTime recorded) const {
  if (!trie_) {
    return std::any_of(filters_.begin(), filters_.end(), [&](const FilterRecord& filter) {
      return filter.after < recorded && matches(filter.filter, topic);
    });
  }
  trie_->match(topic, matched_);
  return std::any_of(matched_.begin(), matched_.end(),
                     [&](auto i) { return filters_[i].after < recorded; });
}

bool FilterSet::matches_all() const {
  return std::any_of(filters_.begin(), filters_.end(), [](const FilterRecord& filter) {
    return filter.filter == "#" && filter.after == WallTime();
  });
}

std::vector<FilterRecord> FilterSet::replaced_by(const std::vector<std::string>& filters,
                                                 WallTime now) const {
  std::unordered_map<std::string_view, WallTime> kept;
  for (const FilterRecord& filter : filters_) kept.emplace(filter.filter, filter.after);
  std::unordered_map<std::string_view, bool> seen;
  std::vector<FilterRecord> out;
  out.reserve(filters.size());
  for (const std::string& filter : filters) {
    if (!seen.emplace(filter, true).second) continue;
    const auto found = kept.find(filter);
    out.push_back({filter, found == kept.end() ? now : found->second});
  }
  return out;
}

}  // namespace marram
