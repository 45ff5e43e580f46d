#include "core/event/filter_trie.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace marram {

namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

// Cuts the first level off `rest`; `rest` has no data when it was the last one.
std::string_view take_level(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view level = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return level;
}

}  // namespace

struct FilterTrie::Node {
  std::unordered_map<std::string, std::unique_ptr<Node>, TextHash, std::equal_to<>> children;
  std::unique_ptr<Node> plus;  // '+'
  std::vector<Value> here;     // filters that end here, ascending
  std::vector<Value> below;    // filters that end with '#' below here, ascending

  bool empty() const { return children.empty() && !plus && here.empty() && below.empty(); }

  std::size_t count() const {
    std::size_t nodes = 1 + (plus ? plus->count() : 0);
    for (const auto& [level, child] : children) nodes += child->count();
    return nodes;
  }

  void collect(std::string_view rest, bool wildcards, std::vector<Value>& out) const;
};

FilterTrie::FilterTrie() : root_(std::make_unique<Node>()) {}
FilterTrie::~FilterTrie() = default;
FilterTrie::FilterTrie(FilterTrie&&) noexcept = default;
FilterTrie& FilterTrie::operator=(FilterTrie&&) noexcept = default;

std::size_t FilterTrie::size() const { return size_; }
std::size_t FilterTrie::nodes() const { return root_->count(); }

void FilterTrie::insert(std::string_view filter, Value value) {
  Node* node = root_.get();
  std::vector<Value>* values = nullptr;
  while (filter.data() != nullptr) {
    const std::string_view level = take_level(filter);
    if (level == "#") {
      values = &node->below;
      break;
    }
    std::unique_ptr<Node>* slot = &node->plus;
    if (level != "+") {
      const auto found = node->children.find(level);
      slot = found != node->children.end() ? &found->second : &node->children[std::string(level)];
    }
    if (!*slot) *slot = std::make_unique<Node>();
    node = slot->get();
    values = &node->here;
  }
  if (values == nullptr) return;
  const auto at = std::lower_bound(values->begin(), values->end(), value);
  if (at != values->end() && *at == value) return;
  values->insert(at, value);
  ++size_;
}

bool FilterTrie::erase(std::string_view filter, Value value) {
  struct Step {
    Node* node;
    std::string_view level;
  };
  std::vector<Step> path;
  Node* node = root_.get();
  std::vector<Value>* values = nullptr;
  while (filter.data() != nullptr) {
    const std::string_view level = take_level(filter);
    if (level == "#") {
      values = &node->below;
      break;
    }
    const auto found = node->children.find(level);
    Node* next = level == "+"                    ? node->plus.get()
                 : found != node->children.end() ? found->second.get()
                                                 : nullptr;
    if (next == nullptr) return false;
    path.push_back({node, level});
    node = next;
    values = &node->here;
  }
  if (values == nullptr) return false;
  const auto at = std::lower_bound(values->begin(), values->end(), value);
  if (at == values->end() || *at != value) return false;
  values->erase(at);
  --size_;
  for (; !path.empty() && node->empty(); path.pop_back()) {
    node = path.back().node;
    if (path.back().level == "+") {
      node->plus.reset();
    } else {
      node->children.erase(node->children.find(path.back().level));
    }
  }
  return true;
}

void FilterTrie::Node::collect(std::string_view rest, bool wildcards,
                               std::vector<Value>& out) const {
  if (wildcards) out.insert(out.end(), below.begin(), below.end());
  if (rest.data() == nullptr) {
    out.insert(out.end(), here.begin(), here.end());
    return;
  }
  const std::string_view level = take_level(rest);
  if (wildcards && plus) plus->collect(rest, true, out);
  if (const auto found = children.find(level); found != children.end()) {
    found->second->collect(rest, true, out);
  }
}

void FilterTrie::match(std::string_view topic, std::vector<Value>& out) const {
  out.clear();
  const bool own = !topic.empty() && topic.front() == '$';
  root_->collect(topic, !own, out);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace marram
