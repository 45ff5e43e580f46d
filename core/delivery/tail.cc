#include "core/delivery/tail.h"

#include <algorithm>
#include <utility>

namespace marram {

namespace {

constexpr std::size_t kBatchOverhead = 1024;

}  // namespace

std::size_t Tail::cost(const EventBatch& batch) {
  return batch.bytes() + batch.size() * sizeof(EventView) + kBatchOverhead;
}

void ranges_of(const EventBatch& batch, std::vector<LogRange>& out) {
  out.clear();
  std::size_t at = 0;
  for (const EventView& event : batch.events()) {
    const std::uint32_t log = event.position.log();
    if (log == 0) continue;  // refused
    if (at == out.size() || out[at].log != log) {
      const auto found = std::find_if(out.begin(), out.end(),
                                      [&](const LogRange& range) { return range.log == log; });
      at = static_cast<std::size_t>(found - out.begin());
      if (found == out.end()) out.push_back({log, event.position.seq(), 0, {}});
    }
    out[at].last = event.position.seq();
  }
}

void Tail::push(const EventBatchPtr& batch, const std::vector<LogRange>& ranges) {
  if (ranges.empty()) return;
  Held held{batch, cost(*batch), {}};
  for (const LogRange& range : ranges) {
    held.logs.push_back(range.log);
    logs_[range.log].push({range.first, range.last, batch, range.gap});
  }
  bytes_ += held.bytes;
  held_.push(std::move(held));
  while (bytes_ > bytes_max_ && held_.size() > 1) drop_oldest();
}

void Tail::drop_oldest() {
  const Held& oldest = held_.front();
  for (const std::uint32_t log : oldest.logs) {
    const auto refs = logs_.find(log);
    // Of a log that was cut or forgotten meanwhile the oldest here is a newer one.
    if (refs == logs_.end() || refs->second.front().batch != oldest.batch) continue;
    refs->second.pop();
    if (refs->second.empty()) logs_.erase(refs);
  }
  bytes_ -= oldest.bytes;
  held_.pop();
}

void Tail::clear() {
  held_.clear();
  logs_.clear();
  bytes_ = 0;
}

void Tail::cut(std::uint32_t log, std::uint64_t upto) {
  const auto refs = logs_.find(log);
  if (refs == logs_.end()) return;
  while (!refs->second.empty() && refs->second.front().last <= upto) refs->second.pop();
  if (refs->second.empty()) {
    logs_.erase(refs);
    return;
  }
  Ref& oldest = refs->second.front();
  oldest.first = std::max(oldest.first, upto + 1);
}

std::optional<std::uint64_t> Tail::next(std::uint32_t log, std::uint64_t after) const {
  const auto refs = logs_.find(log);
  if (refs == logs_.end()) return {};
  const auto found = std::partition_point(refs->second.begin(), refs->second.end(),
                                          [&](const Ref& ref) { return ref.last <= after; });
  if (found == refs->second.end()) return {};
  return std::max(found->first, after + 1);
}

std::optional<Tail::Part> Tail::find(std::uint32_t log, std::uint64_t seq) const {
  const auto refs = logs_.find(log);
  if (refs == logs_.end()) return {};
  const auto found = std::partition_point(refs->second.begin(), refs->second.end(),
                                          [&](const Ref& ref) { return ref.last < seq; });
  if (found == refs->second.end() || found->first > seq) return {};
  return Part{found->batch, found->last, found->gap};
}

}  // namespace marram
