#include "core/store/holds.h"

#include <algorithm>
#include <limits>

#include "core/event/topic.h"

namespace marram::store {

namespace {

constexpr Duration kCachedFor = std::chrono::milliseconds(100);

}  // namespace

Holds::Holds(ConsumerTable& consumers, const StreamTable& streams, Duration idle_max)
    : consumers_(consumers), streams_(streams), idle_max_(idle_max) {}

void Holds::find_concerns(StoredConsumer& consumer) const {
  const auto& filters = consumer.record.filters;
  for (const StreamOptions& stream : streams_.streams()) {
    bool concerned = stream.topics.empty() && !filters.empty();  // takes what no other does
    for (const std::string& topics : stream.topics) {
      concerned = concerned || std::any_of(filters.begin(), filters.end(), [&](const auto& filter) {
                    return filters_overlap(filter.filter, topics);
                  });
    }
    consumer.concerns.push_back(concerned);
  }
}

std::optional<std::uint64_t> Holds::cursor(StoredConsumer& consumer, const LogState& log,
                                           WallTime now) const {
  if (now - consumer.record.seen >= idle_max_) return {};
  if (consumer.concerns.empty()) find_concerns(consumer);
  if (!consumer.concerns[log.stream]) return {};
  const auto found = consumer.record.cursors.find(log.record.no);
  return found == consumer.record.cursors.end() ? 0 : found->second;
}

std::uint64_t Holds::history(const LogState& log, WallTime now) {
  if (lowered_ != consumers_.lowered()) cached_.clear();
  lowered_ = consumers_.lowered();
  Cached& cached = cached_[log.record.no];
  if (cached.at != WallTime() && now >= cached.at && now - cached.at < kCachedFor) {
    return cached.upto;
  }
  cached = {std::numeric_limits<std::uint64_t>::max(), now};
  for (auto& [no, consumer] : consumers_.all()) {
    cached.upto = std::min(cached.upto, cursor(consumer, log, now).value_or(cached.upto));
  }
  return cached.upto;
}

std::string Holds::slowest(const LogState& log, WallTime now) {
  std::string name;
  std::uint64_t least = log.record.head;
  for (auto& [no, consumer] : consumers_.all()) {
    const std::uint64_t upto = cursor(consumer, log, now).value_or(least);
    if (upto >= least) continue;
    least = upto;
    name = consumer.record.name;
  }
  return name;
}

}  // namespace marram::store
