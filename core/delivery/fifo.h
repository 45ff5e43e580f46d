// A queue in one run of memory: nothing allocated while it is empty, none per item.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace marram {

template <class T>
class Fifo {
 public:
  bool empty() const { return first_ == items_.size(); }
  std::size_t size() const { return items_.size() - first_; }
  T& operator[](std::size_t i) { return items_[first_ + i]; }
  const T& operator[](std::size_t i) const { return items_[first_ + i]; }
  T& front() { return items_[first_]; }
  T& back() { return items_.back(); }
  auto begin() { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() const { return items_.end(); }

  void push(T item) { items_.push_back(std::move(item)); }
  void pop_back() { items_.pop_back(); }
  void pop(std::size_t count = 1) {
    if constexpr (!std::is_trivially_destructible_v<T>) {
      std::fill_n(begin(), count, T{});  // what it owns goes now
    }
    first_ += count;
    if (empty()) {
      clear();
    } else if (first_ >= kKeep && first_ > items_.size() / 2) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
  }
  void clear() {
    items_.clear();
    first_ = 0;
    if (items_.capacity() > kKeep) items_.shrink_to_fit();
  }
  template <class Predicate>
  void erase_if(Predicate predicate) {
    items_.erase(std::remove_if(begin(), end(), predicate), end());
    if (empty()) clear();
  }

 private:
  static constexpr std::size_t kKeep = 1024;

  std::vector<T> items_;
  std::size_t first_ = 0;
};

}  // namespace marram
