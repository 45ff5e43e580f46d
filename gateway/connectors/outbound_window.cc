#include "gateway/connectors/outbound_window.h"

#include <algorithm>
#include <utility>

namespace marram {
namespace {

constexpr int kLossesUntilCareful = 3;
constexpr int kLossesUntilBlame = 3;

}  // namespace

void OutboundWindow::add(EventBatchPtr batch, std::uint32_t index) {
  const Position position = batch->events()[index].position;
  if (!positions_.insert(position.packed()).second) return;
  items_.push_back({.batch = std::move(batch), .index = index});
}

std::optional<OutboundWindow::Item> OutboundWindow::next() {
  while (next_ < items_.size() && items_[next_].batch == nullptr) ++next_;
  if (next_ == items_.size()) return {};
  if (in_flight_ >= (careful() ? 1 : limit_)) return {};
  const std::uint64_t serial = first_ + next_;
  Held& item = items_[next_++];
  item.sent = true;
  ++in_flight_;
  return Item{serial, &event_of(item)};
}

OutboundWindow::Held* OutboundWindow::held(std::uint64_t serial) {
  if (serial < first_ || serial - first_ >= items_.size()) return nullptr;
  Held& item = items_[serial - first_];
  return item.batch == nullptr ? nullptr : &item;
}

const EventView* OutboundWindow::find(std::uint64_t serial) const {
  if (serial < first_ || serial - first_ >= items_.size()) return nullptr;
  const Held& item = items_[serial - first_];
  return item.batch == nullptr ? nullptr : &event_of(item);
}

std::optional<Position> OutboundWindow::done(std::uint64_t serial) {
  Held* item = held(serial);
  if (item == nullptr) return {};
  const Position position = event_of(*item).position;
  if (item->sent) --in_flight_;
  positions_.erase(position.packed());
  *item = {};
  ++gone_;
  while (!items_.empty() && items_.front().batch == nullptr) {
    items_.pop_front();
    ++first_;
    --gone_;
    if (next_ > 0) --next_;
  }
  acknowledged_ = true;
  fruitless_ = 0;
  alone_ = 0;
  if (first_ > careful_until_) careful_until_ = 0;
  return position;
}

void OutboundWindow::on_connected(std::size_t receive_maximum) {
  limit_ = std::clamp<std::size_t>(receive_maximum, 1, size_);
  acknowledged_ = false;
}

std::optional<OutboundWindow::Blame> OutboundWindow::on_lost(bool one_is_bad) {
  const std::optional<Blame> blame = judge(one_is_bad);
  rewind();
  return blame;
}

void OutboundWindow::rewind() {
  for (std::size_t i = 0; i < next_; ++i) items_[i].sent = false;
  next_ = 0;
  in_flight_ = 0;
}

std::optional<OutboundWindow::Blame> OutboundWindow::judge(bool one_is_bad) {
  if (in_flight_ == 0) return {};
  const auto sent =
      std::find_if(items_.begin(), items_.end(), [](const Held& i) { return i.sent; });
  const std::uint64_t oldest = first_ + static_cast<std::uint64_t>(sent - items_.begin());
  if (in_flight_ == 1 && one_is_bad) return Blame{oldest, true};

  if (!acknowledged_) ++fruitless_;
  if (one_is_bad || fruitless_ >= kLossesUntilCareful) {
    careful_until_ = std::max(careful_until_, first_ + next_ - 1);
  }
  if (in_flight_ == 1 && careful() && !acknowledged_ && ++alone_ >= kLossesUntilBlame) {
    alone_ = 0;
    return Blame{oldest, false};
  }
  return {};
}

}  // namespace marram
