// Which of many filters match a topic: a trie by level, whose cost follows the
// topic's levels and the matches, not the number of filters.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace marram {

class FilterTrie {
 public:
  using Value = std::uint32_t;

  FilterTrie();
  ~FilterTrie();
  FilterTrie(FilterTrie&&) noexcept;
  FilterTrie& operator=(FilterTrie&&) noexcept;

  // A pair that is there already stays as it is.  `filter` has passed check_filter().
  void insert(std::string_view filter, Value value);
  // False when the pair was not there.  Nodes that become empty are freed.
  bool erase(std::string_view filter, Value value);

  // Replaces `out` by the values of all matching filters, ascending, each once.
  void match(std::string_view topic, std::vector<Value>& out) const;

  std::size_t size() const;   // pairs
  std::size_t nodes() const;  // levels kept, the root included; walks them all

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  std::size_t size_ = 0;
};

}  // namespace marram
