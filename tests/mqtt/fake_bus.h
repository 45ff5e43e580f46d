// A Bus in memory, for tests of the listener: it stores at once, or refuses, as
// the test says.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/event/bus.h"

namespace marram::mqtt {

// Threads: all functions may be called from any thread.
class FakeBus : public Bus {
 public:
  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override;
  SubscriptionId open(SubscribeOptions options, ListenerPtr listener) override;
  void change(SubscriptionId id, std::vector<std::string> filters, std::string attributes) override;
  void settle(SubscriptionId id, std::span<const Position> positions, Settle how,
              Duration delay) override;
  void close_subscription(SubscriptionId id) override;
  Result<std::vector<ConsumerInfo>> consumers() override;
  void remove_consumer(std::string name, ListenerPtr listener, std::uint64_t token) override;
  Result<std::string> status_json() override { return std::string("{}"); }
  const Limits& limits() const override { return limits_; }
  Result<LogId> log_id(std::uint32_t) override { return LogId{"node", "1-a", "events"}; }
  void close() override {}

  // --- for tests ---
  void set_full(bool full);              // answers Full
  void set_overloaded(bool overloaded);  // takes nothing
  void set_silent(bool silent);          // keeps answers back, until it is false again
  std::vector<Event> events();           // stored
  std::size_t unsettled(const std::string& name);

 private:
  struct Member {
    SubscriptionId id = 0;
    ListenerPtr listener;
    std::size_t in_flight_max = 0;
  };
  struct Consumer {
    std::map<std::string, std::size_t> filters;  // matches from this event on
    std::string attributes;
    bool durable = false;
    std::set<std::size_t> settled;
    std::set<std::size_t> in_flight;
    std::map<std::size_t, std::uint32_t> attempts;
    std::size_t next = 0;
    std::optional<Member> member;
    bool removing = false;
  };
  struct Stored {
    EventBatchPtr batch;
    std::uint32_t index;
  };
  struct Answer {
    ListenerPtr listener;
    Published published;
  };
  struct Removing {
    std::string name;
    ListenerPtr listener;
    std::uint64_t token;
  };
  struct State {
    bool full = false;
    bool overloaded = false;
    bool silent = false;
    std::vector<Stored> events;
    std::vector<Answer> kept_back;
    std::vector<Removing> removing;
    std::map<std::string, Consumer> consumers;      // ephemeral: by a made-up name
    std::map<SubscriptionId, std::string> members;  // subscription: consumer
    SubscriptionId last_id = 0;
  };
  static void pump(State& state);
  static void pump(State& state, Consumer& consumer);
  static void answer(State& state);
  static void remove(State& state);
  static void set_filters(State& state, Consumer& consumer,
                          const std::vector<std::string>& filters);
  static void end(State& state, SubscriptionId id, Errc code);

  Limits limits_;
  Guarded<State> state_;
};

}  // namespace marram::mqtt
