// The events of one log that its reader has been handed, and what became of them.
//
//     Out --settled--> Settled --given up--> (gone)
//      |  ^
//      |  +--handed out again---+
//      +--failed--> Waiting ----+      Waiting --settled--> Settled
//
// Entries stand in the order of their seq.  Settled ones before the first that is
// not are the prefix, which the cursor covers.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/delivery/fifo.h"

namespace marram {

class Window {
 public:
  enum class State : std::uint8_t { Out, Waiting, Settled };
  struct Entry {
    std::uint64_t seq = 0;
    std::uint64_t key = 0;  // hash of the ordering key
    WallTime recorded{};
    TimePoint at{};  // Out: handed out again at; Waiting: not before
    std::uint32_t bytes = 0;
    std::uint16_t attempt = 0;  // how often it was handed out
    State state = State::Out;
    bool failed = false;  // to go back with all of its key
  };

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  // `entry` is behind all others.
  void push(const Entry& entry) { entries_.push(entry); }
  // Null when it is not here.  In order, each costs the same.
  Entry* find(std::uint64_t seq);
  // The first entry at or behind `seq`, as an index.
  std::size_t lower_bound(std::uint64_t seq) const;
  Entry& at(std::size_t index) { return entries_[index]; }

  // The first entry that is not settled; null when all are.
  const Entry* first_unsettled();
  // Removes the prefix up to `seq`; calls `gone` for each.
  template <class Function>
  void drop_prefix(std::uint64_t seq, Function gone) {
    first_unsettled();
    std::size_t count = 0;
    while (count < prefix_ && entries_[count].seq <= seq) gone(entries_[count++]);
    prefix_ -= count;
    hint_ = hint_ > count ? hint_ - count : 0;
    entries_.pop(count);
  }
  // Removes all settled entries, also behind unsettled ones.
  void drop_settled();
  // Removes the entries behind the last settled one; calls `gone` for each.
  template <class Function>
  void drop_unsettled_end(Function gone) {
    while (!entries_.empty() && entries_.back().state != State::Settled) {
      gone(entries_.back());
      entries_.pop_back();
    }
    hint_ = 0;
  }

 private:
  Fifo<Entry> entries_;
  std::size_t prefix_ = 0;  // so many at the front are known to be settled
  std::size_t hint_ = 0;    // where find() looks first
};

}  // namespace marram
