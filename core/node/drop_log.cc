#include "core/node/drop_log.h"

#include <algorithm>

namespace marram {

namespace {

constexpr Duration kTellEvery = std::chrono::minutes(1);

}  // namespace

void DropLog::add(const std::string& stream, const std::string& reason, std::uint64_t events,
                  TimePoint now) {
  const auto [known, fresh] = untold_.try_emplace({stream, reason}, Untold{now + kTellEvery, 0});
  if (fresh) {
    tell(known->first, events);
  } else {
    known->second.events += events;
  }
  wake_at_ = std::min(wake_at_.value_or(known->second.free_at), known->second.free_at);
}

void DropLog::run(TimePoint now) {
  if (!wake_at_ || now < *wake_at_) return;
  wake_at_.reset();
  for (auto one = untold_.begin(); one != untold_.end();) {
    Untold& untold = one->second;
    if (untold.free_at <= now && untold.events == 0) {
      one = untold_.erase(one);
      continue;
    }
    if (untold.free_at <= now) {
      tell(one->first, std::exchange(untold.events, 0));
      untold.free_at = now + kTellEvery;
    }
    wake_at_ = std::min(wake_at_.value_or(untold.free_at), untold.free_at);
    ++one;
  }
}

void DropLog::tell(const Key& key, std::uint64_t events) {
  log_.warn("broker", "events were dropped before they were delivered",
            {{"stream", key.first}, {"reason", key.second}, {"events", std::to_string(events)}});
}

}  // namespace marram
