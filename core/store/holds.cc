#include "core/store/holds.h"

#include <algorithm>
#include <limits>

#include "core/event/topic.h"

namespace marram::store {

namespace {

constexpr Duration kCachedFor = std::chrono::milliseconds(100);
constexpr Duration kNewFor = std::chrono::seconds(30);

}  // namespace

Holds::Holds(ConsumerTable& consumers, const HoldTable& peers, const StreamTable& streams,
             Duration idle_max)
    : consumers_(consumers), peers_(peers), streams_(streams), idle_max_(idle_max) {}

void Holds::set_pins(const std::vector<Pin>& pins) {
  pins_.clear();
  for (const Pin& pin : pins) {
    const auto [kept, is_new] = pins_.emplace(pin.log, pin.upto);
    kept->second = std::min(kept->second, pin.upto);
  }
  forget();
}

void Holds::find_concerns(StoredConsumer& consumer) const {
  const auto& filters = consumer.record.filters;
  for (const StreamOptions& stream : streams_.streams()) {
    bool concerned = stream.topics.empty() && !filters.empty();  // takes what no other does
    for (const std::string& topics : stream.topics) {
      concerned = concerned || std::any_of(filters.begin(), filters.end(), [&](const auto& filter) {
                    return overlaps(filter.filter, topics);
                  });
    }
    consumer.concerns.push_back(concerned);
  }
}

std::optional<std::uint64_t> Holds::cursor(StoredConsumer& consumer, const LogState& log,
                                           WallTime now) const {
  if (now - consumer.record.seen >= idle_max_) return {};
  if (consumer.concerns.empty()) find_concerns(consumer);
  const bool concerned =
      log.mixed ? !consumer.record.filters.empty() : consumer.concerns[log.stream];
  if (!concerned) return {};
  const auto found = consumer.record.cursors.find(log.record.no);
  return found == consumer.record.cursors.end() ? 0 : found->second;
}

std::uint64_t Holds::history(const LogState& log, WallTime now) {
  const std::uint64_t lowered = consumers_.lowered() + peers_.lowered();
  if (lowered_ != lowered) cached_.clear();
  lowered_ = lowered;
  Cached& cached = cached_[log.record.no];
  if (cached.at != WallTime() && now >= cached.at && now - cached.at < kCachedFor) {
    return cached.upto;
  }
  cached = {find_history(log, now), now};
  return cached.upto;
}

std::uint64_t Holds::find_history(const LogState& log, WallTime now) {
  if (log.made != WallTime() && now >= log.made && now - log.made < kNewFor) return 0;
  std::uint64_t upto = std::numeric_limits<std::uint64_t>::max();
  for (auto& [no, consumer] : consumers_.all()) {
    upto = std::min(upto, cursor(consumer, log, now).value_or(upto));
  }
  if (const auto peer = peers_.lowest(log.record.no); peer.hold != nullptr) {
    upto = std::min(upto, peer.acked);
  }
  if (const auto pin = pins_.find(log.record.no); pin != pins_.end()) {
    upto = std::min(upto, pin->second);
  }
  return upto;
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
  const auto peer = peers_.lowest(log.record.no);
  if (peer.hold != nullptr && peer.acked < least) name = "peer " + peer.hold->peer;
  return name;
}

}  // namespace marram::store
