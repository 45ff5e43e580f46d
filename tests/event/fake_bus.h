// A Bus without store or threads: a test looks at what was asked of it, and
// answers by telling the listeners.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/event/bus.h"

namespace marram::tests {

class FakeBus : public Bus {
 public:
  struct Settled {
    SubscriptionId id;
    std::vector<Position> positions;
    Settle how;
    Duration delay;
  };

  // What submit() and open() do besides being noted; unset: they never answer.
  std::function<Status(EventBatchPtr batch, ListenerPtr to, std::uint64_t token)> on_submit;
  std::function<void(SubscriptionId id, Listener& listener)> on_open;
  std::function<void(const std::string& name, Listener& listener, std::uint64_t token)> on_remove;
  // Unset: there is no level but "stored".
  std::function<Result<bool>(const Level& level, const std::vector<Position>& positions)> on_await;

  std::vector<SubscribeOptions> opened;
  std::vector<Settled> settled;
  std::vector<SubscriptionId> closed;
  ListenerPtr listener;  // of the last open()
  Limits limits_;

  // Stores: events get positions 1, 2, ... of log 1.
  static EventBatchPtr stored(std::unique_ptr<EventBatch> batch) {
    std::uint64_t seq = 0;
    for (EventView& event : batch->events()) {
      event.position = Position(1, ++seq);
      event.recorded = WallTime(Duration(1'000'000 + static_cast<std::int64_t>(seq)));
    }
    return batch;
  }

  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr to, std::uint64_t token) override {
    if (!on_submit) return {};
    return on_submit(stored(std::move(batch)), std::move(to), token);
  }
  SubscriptionId open(SubscribeOptions options, ListenerPtr to) override {
    opened.push_back(std::move(options));
    listener = std::move(to);
    const SubscriptionId id = opened.size();
    if (on_open) on_open(id, *listener);
    return id;
  }
  void change(SubscriptionId, std::vector<std::string>, std::string) override {}
  void settle(SubscriptionId id, std::span<const Position> positions, Settle how,
              Duration delay) override {
    settled.push_back({id, {positions.begin(), positions.end()}, how, delay});
  }
  void close_subscription(SubscriptionId id) override { closed.push_back(id); }
  Result<std::vector<ConsumerInfo>> consumers() override { return std::vector<ConsumerInfo>(); }
  void remove_consumer(std::string name, ListenerPtr to, std::uint64_t token) override {
    if (on_remove) on_remove(name, *to, token);
  }
  void await_level(const Level& level, std::vector<Position> positions, Duration patience,
                   ListenerPtr to, std::uint64_t token) override {
    if (!on_await) return Bus::await_level(level, std::move(positions), patience, to, token);
    to->notify(Reached{token, on_await(level, positions)});
  }
  Result<std::string> status_json() override { return std::string("{}"); }
  const Limits& limits() const override { return limits_; }
  Result<LogId> log_id(std::uint32_t) override { return fail(Errc::NotFound, "no log"); }
  void close() override {}
};

}  // namespace marram::tests
