// A Bus without a node: events are kept in memory, and commits can be held back.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/mailbox.h"
#include "core/event/bus.h"
#include "core/event/topic.h"

namespace marram {

class PaperBus : public Bus {
 public:
  // Events of one topic with payloads 1 to `count`.
  void publish_numbers(const std::string& topic, int count) {
    auto batch = std::make_unique<EventBatch>();
    for (int i = 1; i <= count; ++i) {
      Event event{.topic = topic, .payload = std::to_string(i)};
      batch->add(event, "", WallTime(Duration(1)), ids_);
    }
    (void)submit(std::move(batch), nullptr, 0);
  }

  std::vector<Event> stored() {
    return state_.with([](State& state) {
      std::vector<Event> all;
      for (const auto& [batch, index] : state.log) all.push_back(batch->events()[index].to_event());
      return all;
    });
  }
  std::size_t settled() {
    return state_.with([](State& state) { return state.settled.size(); });
  }
  void hold_commits(bool hold) {
    state_.with([&](State& state) { state.hold = hold; });
  }
  void refuse_commits(std::optional<Error> why) {
    state_.with([&](State& state) { state.refusal = std::move(why); });
  }

  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override {
    state_.with([&](State& state) {
      if (state.hold) return;
      if (state.refusal) {
        const Status refused = tl::unexpected(*state.refusal);
        listener->notify(Published{token, nullptr, {refused}});
        return;
      }
      for (EventView& event : batch->events()) event.position = Position(1, ++state.last);
      const EventBatchPtr frozen(std::move(batch));
      for (std::uint32_t i = 0; i < frozen->size(); ++i) state.log.emplace_back(frozen, i);
      if (listener) listener->notify(Published{token, frozen, {}});
      deliver(state);
    });
    return {};
  }

  SubscriptionId open(SubscribeOptions options, ListenerPtr listener) override {
    state_.with([&](State& state) {
      state.options = std::move(options);
      state.listener = std::move(listener);
      state.next = 0;
      state.in_flight = 0;
      state.listener->notify(Opened{1});
      deliver(state);
    });
    return 1;
  }

  void change(SubscriptionId id, std::vector<std::string>, std::string) override {
    state_.with([&](State& state) { state.listener->notify(Changed{id, {}}); });
  }

  void settle(SubscriptionId, std::span<const Position> positions, Settle, Duration) override {
    state_.with([&](State& state) {
      for (const Position position : positions) {
        if (state.settled.insert(position).second) --state.in_flight;
      }
      deliver(state);
    });
  }

  void close_subscription(SubscriptionId id) override {
    state_.with([&](State& state) {
      if (state.listener) state.listener->notify(Ended{id, {Errc::Closed, "closed"}});
      state.listener.reset();
    });
  }

  Result<std::vector<ConsumerInfo>> consumers() override { return std::vector<ConsumerInfo>{}; }
  void remove_consumer(std::string, ListenerPtr, std::uint64_t) override {}
  Result<std::string> status_json() override { return "{}"; }
  const Limits& limits() const override { return limits_; }
  Result<LogId> log_id(std::uint32_t) override { return LogId{}; }
  void close() override {}

 private:
  struct State {
    std::vector<std::pair<EventBatchPtr, std::uint32_t>> log;
    std::uint64_t last = 0;
    SubscribeOptions options;
    ListenerPtr listener;
    std::size_t next = 0;
    std::size_t in_flight = 0;
    std::set<Position> settled;
    bool hold = false;
    std::optional<Error> refusal;
  };

  static void deliver(State& state) {
    if (!state.listener) return;
    for (; state.next < state.log.size() && state.in_flight < state.options.in_flight_max;
         ++state.next) {
      const auto& [batch, index] = state.log[state.next];
      if (state.settled.contains(batch->events()[index].position)) continue;
      state.listener->notify(Delivered{1, batch, {index}, 1});
      ++state.in_flight;
    }
  }

  Limits limits_;
  UuidMaker ids_;
  Guarded<State> state_;
};

}  // namespace marram
