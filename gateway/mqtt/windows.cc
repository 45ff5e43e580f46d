#include "gateway/mqtt/windows.h"

#include <algorithm>

#include "core/base/assert.h"
#include "gateway/mqtt/publish.h"

namespace marram::mqtt {

namespace {

constexpr std::size_t kSlotsAtFirst = 16;
constexpr std::size_t kUsedMax = 32'768;  // half of all packet ids

}  // namespace

void AckQueue::push(std::uint16_t packet_id) {
  entries_.push_back({packet_id, Reason::Success, false});
}

void AckQueue::answer(std::uint16_t packet_id, Reason reason) {
  const auto owed = [&](const Entry& entry) {
    return !entry.answered && entry.packet_id == packet_id;
  };
  std::size_t at = next_;
  if (at >= entries_.size() || !owed(entries_[at])) {
    const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto found = std::find_if(first, entries_.end(), owed);
    MARRAM_ASSERT(found != entries_.end(), "the store answers no more than it was asked");
    at = static_cast<std::size_t>(found - entries_.begin());
  }
  entries_[at].reason = reason;
  entries_[at].answered = true;
  next_ = at + 1;
}

void AckQueue::flush(Version version, std::string& out) {
  for (; first_ < entries_.size() && entries_[first_].answered; ++first_) {
    encode(Ack{.packet_id = entries_[first_].packet_id, .reason = entries_[first_].reason}, version,
           out);
  }
  next_ = std::max(next_, first_);
  if (first_ == entries_.size()) {
    entries_.clear();
    first_ = next_ = 0;
  } else if (first_ >= 4096) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    next_ -= first_;
    first_ = 0;
  }
}

std::uint16_t OutWindow::add(Position position) {
  MARRAM_ASSERT(used_ < kUsedMax, "a consumer hands out no more than its window");
  if (used_ * 2 >= slots_.size()) grow();
  for (;; ++next_) {
    if (next_ == 0) continue;
    Slot& slot = slot_of(next_);
    if (slot.packet_id != 0) continue;
    slot = {next_, position};
    ++used_;
    return next_++;
  }
}

std::optional<Position> OutWindow::take(std::uint16_t packet_id) {
  if (slots_.empty() || packet_id == 0) return {};
  Slot& slot = slot_of(packet_id);
  if (slot.packet_id != packet_id) return {};
  slot.packet_id = 0;
  --used_;
  return slot.position;
}

void OutWindow::grow() {
  std::vector<Slot> old(std::max(kSlotsAtFirst, slots_.size() * 2));
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.packet_id != 0) slot_of(slot.packet_id) = slot;
  }
}

}  // namespace marram::mqtt
