#include "tests/mqtt/fake_bus.h"

#include <algorithm>

#include "core/event/topic.h"

namespace marram::mqtt {

Status FakeBus::submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                       std::uint64_t token) {
  return state_.with([&](State& state) -> Status {
    if (state.overloaded) return fail(Errc::Overloaded, "fake: overloaded");
    Published published{token, nullptr, {}};
    const std::shared_ptr<EventBatch> owned(std::move(batch));
    const EventBatchPtr frozen = owned;
    published.batch = frozen;
    for (std::uint32_t i = 0; i < owned->size(); ++i) {
      EventView& event = owned->events()[i];
      if (state.full) {
        published.results.push_back(fail(Errc::Full, "fake: full"));
        continue;
      }
      event.position = Position(1, state.events.size() + 1);
      event.recorded = event.time;
      state.events.push_back({frozen, i});
    }
    state.kept_back.push_back({std::move(listener), std::move(published)});
    if (!state.silent) answer(state);
    return {};
  });
}

void FakeBus::answer(State& state) {
  for (Answer& answer : state.kept_back) answer.listener->notify(std::move(answer.published));
  state.kept_back.clear();
  pump(state);
}

void FakeBus::pump(State& state) {
  for (auto& [name, consumer] : state.consumers) pump(state, consumer);
}

void FakeBus::pump(State& state, Consumer& consumer) {
  if (!consumer.member) return;
  for (; consumer.next < state.events.size(); ++consumer.next) {
    if (consumer.in_flight.size() >= consumer.member->in_flight_max) return;
    const std::size_t at = consumer.next;
    if (consumer.settled.contains(at)) continue;
    const Stored& stored = state.events[at];
    const std::string_view topic = stored.batch->events()[stored.index].topic;
    const bool wanted = std::any_of(
        consumer.filters.begin(), consumer.filters.end(),
        [&](const auto& entry) { return at >= entry.second && matches(entry.first, topic); });
    if (!wanted) continue;
    consumer.in_flight.insert(at);
    consumer.member->listener->notify(
        Delivered{consumer.member->id, stored.batch, {stored.index}, ++consumer.attempts[at]});
  }
}

void FakeBus::set_filters(State& state, Consumer& consumer,
                          const std::vector<std::string>& filters) {
  std::map<std::string, std::size_t> next;
  for (const std::string& filter : filters) {
    const auto old = consumer.filters.find(filter);
    next[filter] = old != consumer.filters.end() ? old->second : state.events.size();
  }
  consumer.filters = std::move(next);
}

SubscriptionId FakeBus::open(SubscribeOptions options, ListenerPtr listener) {
  return state_.with([&](State& state) {
    const SubscriptionId id = ++state.last_id;
    const bool durable = !options.name.empty();
    const std::string name = durable ? options.name : "(" + std::to_string(id) + ")";
    Consumer& consumer = state.consumers[name];
    if (consumer.removing) {
      listener->notify(Ended{id, {Errc::Busy, "fake: it is being removed"}});
      return id;
    }
    if (consumer.member) end(state, consumer.member->id, Errc::Busy);
    consumer.durable = durable;
    consumer.attributes = options.attributes;
    set_filters(state, consumer, options.filters);
    consumer.next = 0;
    consumer.in_flight.clear();
    consumer.member = Member{id, std::move(listener), options.in_flight_max};
    state.members[id] = name;
    consumer.member->listener->notify(Opened{id});
    pump(state, consumer);
    return id;
  });
}

void FakeBus::change(SubscriptionId id, std::vector<std::string> filters, std::string attributes) {
  state_.with([&](State& state) {
    const auto found = state.members.find(id);
    if (found == state.members.end()) return;
    Consumer& consumer = state.consumers[found->second];
    set_filters(state, consumer, filters);
    consumer.attributes = std::move(attributes);
    consumer.member->listener->notify(Changed{id, {}});
    pump(state, consumer);
  });
}

void FakeBus::settle(SubscriptionId id, std::span<const Position> positions, Settle, Duration) {
  state_.with([&](State& state) {
    const auto found = state.members.find(id);
    if (found == state.members.end()) return;
    Consumer& consumer = state.consumers[found->second];
    for (const Position position : positions) {
      const std::size_t at = position.seq() - 1;
      if (consumer.in_flight.erase(at) > 0) consumer.settled.insert(at);
    }
    pump(state, consumer);
  });
}

void FakeBus::end(State& state, SubscriptionId id, Errc code) {
  const auto found = state.members.find(id);
  if (found == state.members.end()) return;
  const std::string name = found->second;
  state.members.erase(found);
  Consumer& consumer = state.consumers[name];
  consumer.member->listener->notify(Ended{id, {code, "fake: ended"}});
  consumer.member.reset();
  if (!consumer.durable) state.consumers.erase(name);
}

void FakeBus::close_subscription(SubscriptionId id) {
  state_.with([&](State& state) { end(state, id, Errc::Closed); });
}

Result<std::vector<ConsumerInfo>> FakeBus::consumers() {
  return state_.with([](State& state) {
    std::vector<ConsumerInfo> out;
    for (const auto& [name, consumer] : state.consumers) {
      if (!consumer.durable) continue;
      ConsumerInfo& info = out.emplace_back();
      info.name = name;
      for (const auto& [filter, after] : consumer.filters) info.filters.push_back(filter);
      info.attributes = consumer.attributes;
      info.attached = consumer.member.has_value();
    }
    return out;
  });
}

void FakeBus::remove_consumer(std::string name, ListenerPtr listener, std::uint64_t token) {
  state_.with([&](State& state) {
    const auto found = state.consumers.find(name);
    if (found == state.consumers.end()) {
      listener->notify(Removed{token, fail(Errc::NotFound, "fake: no such consumer")});
    } else if (found->second.member) {
      listener->notify(Removed{token, fail(Errc::Busy, "fake: it has a member")});
    } else {
      found->second.removing = true;
      state.removing.push_back({name, std::move(listener), token});
      if (!state.silent) remove(state);
    }
  });
}

void FakeBus::remove(State& state) {
  for (Removing& removing : state.removing) {
    state.consumers.erase(removing.name);
    removing.listener->notify(Removed{removing.token, {}});
  }
  state.removing.clear();
}

void FakeBus::set_full(bool full) {
  state_.with([&](State& state) { state.full = full; });
}

void FakeBus::set_overloaded(bool overloaded) {
  state_.with([&](State& state) { state.overloaded = overloaded; });
}

void FakeBus::set_silent(bool silent) {
  state_.with([&](State& state) {
    state.silent = silent;
    if (silent) return;
    answer(state);
    remove(state);
  });
}

std::vector<Event> FakeBus::events() {
  return state_.with([](State& state) {
    std::vector<Event> out;
    for (const Stored& stored : state.events) {
      out.push_back(stored.batch->events()[stored.index].to_event());
    }
    return out;
  });
}

std::size_t FakeBus::unsettled(const std::string& name) {
  return state_.with([&](State& state) { return state.consumers[name].in_flight.size(); });
}

}  // namespace marram::mqtt
