// Which readers want a topic: the trie's answers, kept until a filter changes.
//
// Threads: the owner's only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/event/filter_trie.h"

namespace marram {

class MatchCache {
 public:
  using Values = std::vector<FilterTrie::Value>;

  void insert(std::string_view filter, FilterTrie::Value value);
  void erase(std::string_view filter, FilterTrie::Value value);
  bool empty() const { return trie_.size() == 0; }

  // Valid until the next call.
  const Values& match(std::string_view topic);

 private:
  static constexpr std::size_t kTopicsMax = 8192;
  static constexpr std::size_t kValuesMax = 1 << 20;  // of all topics together

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  FilterTrie trie_;
  std::unordered_map<std::string, Values, Hash, std::equal_to<>> topics_;
  std::size_t values_ = 0;
  Values found_;
};

}  // namespace marram
