#include "core/node/match_cache.h"

namespace marram {

void MatchCache::insert(std::string_view filter, FilterTrie::Value value) {
  trie_.insert(filter, value);
  topics_.clear();
  values_ = 0;
}

void MatchCache::erase(std::string_view filter, FilterTrie::Value value) {
  trie_.erase(filter, value);
  topics_.clear();
  values_ = 0;
}

const MatchCache::Values& MatchCache::match(std::string_view topic) {
  if (const auto known = topics_.find(topic); known != topics_.end()) return known->second;
  trie_.match(topic, found_);
  if (topics_.size() >= kTopicsMax || values_ + found_.size() > kValuesMax) {
    topics_.clear();
    values_ = 0;
  }
  values_ += found_.size();
  return topics_.emplace(topic, found_).first->second;
}

}  // namespace marram
