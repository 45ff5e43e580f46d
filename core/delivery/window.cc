#include "core/delivery/window.h"

#include <algorithm>

namespace marram {

std::size_t Window::lower_bound(std::uint64_t seq) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), seq,
                       [](const Entry& entry, std::uint64_t wanted) { return entry.seq < wanted; });
  return static_cast<std::size_t>(found - entries_.begin());
}

Window::Entry* Window::find(std::uint64_t seq) {
  std::size_t index = hint_;
  if (index >= entries_.size() || entries_[index].seq != seq) index = lower_bound(seq);
  if (index == entries_.size() || entries_[index].seq != seq) return nullptr;
  hint_ = index + 1;
  return &entries_[index];
}

const Window::Entry* Window::first_unsettled() {
  while (prefix_ < entries_.size() && entries_[prefix_].state == State::Settled) ++prefix_;
  return prefix_ < entries_.size() ? &entries_[prefix_] : nullptr;
}

void Window::drop_settled() {
  entries_.erase_if([](const Entry& entry) { return entry.state == State::Settled; });
  prefix_ = 0;
  hint_ = 0;
}

}  // namespace marram
