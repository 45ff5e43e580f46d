#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/event/topic.h"
#include "core/node/broker_body.h"

namespace marram {

namespace {

Error over(std::string_view what, std::size_t value, std::size_t most, std::string_view key) {
  return {Errc::TooLarge, fmt::format("subscribe: {} is {}, over the limit of {} (raise limits.{})",
                                      what, value, most, key)};
}

Consumer::Options consumer_options(const SubscribeOptions& options) {
  const bool durable = !options.name.empty();
  Consumer::Options made{
      .durable = durable,
      .start = options.start.value_or(Start{.at = durable ? Start::At::Earliest : Start::At::New}),
      .filters = {}};
  // Recorded after the moment before is recorded at or after the moment.
  const WallTime after =
      made.start.at == Start::At::Time ? made.start.time - Duration(1) : WallTime();
  std::vector<FilterRecord>& filters = made.filters;
  filters = FilterSet().replaced_by(options.filters, after);
  return made;
}

}  // namespace

Status Broker::Body::check_filters(const std::vector<std::string>& wanted) const {
  if (wanted.size() > options.limits.filters_per_consumer_max) {
    return tl::unexpected(over("the number of filters", wanted.size(),
                               options.limits.filters_per_consumer_max,
                               "filters_per_consumer_max"));
  }
  for (const std::string& filter : wanted) {
    if (auto status = check_filter(filter, options.limits); !status) return status;
  }
  return {};
}

Status Broker::Body::check(const SubscribeOptions& wanted) const {
  const Limits& limits = options.limits;
  if (auto status = check_filters(wanted.filters); !status) return status;
  if (!wanted.name.empty()) {
    if (auto status = check_name("consumer", wanted.name, limits); !status) return status;
  }
  if (wanted.in_flight_max == 0 || wanted.in_flight_bytes_max == 0 || wanted.ack_wait.count() < 0) {
    return fail(Errc::Invalid,
                "subscribe: in_flight_max, in_flight_bytes_max or ack_wait is not above zero "
                "(ack_wait may be 0: never hand out again)");
  }
  if (wanted.in_flight_max > limits.in_flight_max) {
    return tl::unexpected(
        over("in_flight_max", wanted.in_flight_max, limits.in_flight_max, "in_flight_max"));
  }
  return {};
}

void Broker::Body::open(SubscriptionId id, const SubscribeOptions& wanted,
                        const ListenerPtr& listener) {
  if (auto status = check(wanted); !status) {
    listener->notify(Ended{id, status.error()});
  } else if (wanted.name.empty()) {
    open_ephemeral(id, wanted, listener);
  } else {
    open_durable(id, wanted, listener);
  }
}

void Broker::Body::open_ephemeral(SubscriptionId id, const SubscribeOptions& wanted,
                                  const ListenerPtr& listener) {
  if (ephemeral >= options.limits.consumers_max) {
    return listener->notify(Ended{id, over("the number of subscriptions", ephemeral + 1,
                                           options.limits.consumers_max, "consumers_max")});
  }
  const Consumer::Options made = consumer_options(wanted);
  Slot& slot = add_slot(std::make_unique<Consumer>(made, logs), false);
  slot.record.start = made.start;
  slot.record.created = now.wall;
  wish(slot);
  attach(slot, id, wanted, listener);
}

void Broker::Body::open_durable(SubscriptionId id, const SubscribeOptions& wanted,
                                const ListenerPtr& listener) {
  const auto found = by_name.find(wanted.name);
  if (found == by_name.end()) return make_durable(id, wanted, listener);
  Slot& slot = *found->second;
  if (slot.with_store) {
    return put_off(slot, {id, listener, [=, this] { open(id, wanted, listener); }});
  }
  if (slot.id != 0 && !wanted.take_over) {
    return listener->notify(
        Ended{id,
              {Errc::Busy, fmt::format("consumer {}: it has a member already (close that "
                                       "subscription, or take it over)",
                                       wanted.name)}});
  }
  if (slot.id != 0) {
    end_member(slot,
               {Errc::Busy, fmt::format("consumer {}: taken over by another member", wanted.name)});
  }
  resume_durable(slot, id, wanted, listener);
}

void Broker::Body::make_durable(SubscriptionId id, const SubscribeOptions& wanted,
                                const ListenerPtr& listener) {
  if (durable >= options.limits.consumers_max) {
    return listener->notify(Ended{id, over("the number of consumers", durable + 1,
                                           options.limits.consumers_max, "consumers_max")});
  }
  const Consumer::Options made = consumer_options(wanted);
  Slot& slot = add_slot(std::make_unique<Consumer>(made, logs), true);
  slot.record.name = wanted.name;
  slot.record.start = made.start;
  slot.record.attributes = wanted.attributes;
  slot.record.created = slot.record.seen = now.wall;
  slot.with_store = true;
  by_name[wanted.name] = &slot;
  put_off(slot,
          {id, listener, [=, this] { attach(*by_name.at(wanted.name), id, wanted, listener); }});
  ConsumerRecord record = slot.record;
  record.filters = made.filters;
  record.cursors = slot.consumer->begins();
  slot.consumer->forget_begins();
  store.put_consumer(std::move(record),
                     [this, index = slot.index, uid = slot.uid](Result<std::uint32_t> no) {
                       post([this, index, uid, no = std::move(no)] { on_made(index, uid, no); });
                     });
}

void Broker::Body::on_made(std::uint32_t index, std::uint64_t uid, Result<std::uint32_t> no) {
  Slot* const slot = still(index, uid);
  if (slot == nullptr) return;
  auto list = std::exchange(slot->put_off, {});
  slot->with_store = false;
  if (no) {
    slot->record.no = *no;
    by_no[*no] = slot;
    wish(*slot);
    return run_put_off(list);
  }
  log.error("broker", no.error().message, {{"consumer", slot->record.name}});
  erase_slot(*slot);
  // Whoever asked first is told why; the others ask anew.
  if (!list.empty() && list.front().opens) {
    by_id.erase(list.front().id);
    list.front().opens->notify(Ended{list.front().id, no.error()});
    list.pop_front();
  }
  run_put_off(list);
}

void Broker::Body::resume_durable(Slot& slot, SubscriptionId id, const SubscribeOptions& wanted,
                                  const ListenerPtr& listener) {
  bool news = slot.unsaved || now.wall - slot.record.seen > std::chrono::hours(1);
  if (!wanted.filters.empty()) {
    const auto before = slot.consumer->filters().filters();
    set_filters(slot, wanted.filters);
    news = news || before != slot.consumer->filters().filters();
  }
  if (!wanted.attributes.empty() && wanted.attributes != slot.record.attributes) {
    slot.record.attributes = wanted.attributes;
    news = true;
  }
  slot.record.seen = now.wall;
  if (!news) return attach(slot, id, wanted, listener);
  slot.with_store = true;
  put_off(slot, {id, listener, [=, this, &slot] { attach(slot, id, wanted, listener); }});
  put(slot, [this, &slot](const Status& status) {
    slot.with_store = false;
    auto list = std::exchange(slot.put_off, {});
    if (!status && !list.empty() && list.front().opens) {
      by_id.erase(list.front().id);
      list.front().opens->notify(Ended{list.front().id, status.error()});
      list.pop_front();
    }
    run_put_off(list);
  });
}

void Broker::Body::change(SubscriptionId id, const std::vector<std::string>& wanted,
                          const std::string& attributes) {
  const auto found = by_id.find(id);
  if (found == by_id.end()) return;  // it has ended and said so
  Slot& slot = *found->second;
  if (slot.id != id) return put_off(slot, {id, {}, [=, this] { change(id, wanted, attributes); }});
  if (auto status = check_filters(wanted); !status) {
    return slot.listener->notify(Changed{id, status});
  }
  set_filters(slot, wanted);
  slot.record.attributes = attributes;
  touch(slot);
  if (!slot.durable) return slot.listener->notify(Changed{id, {}});
  put(slot, [id, listener = slot.listener](const Status& status) {
    listener->notify(Changed{id, status});
  });
}

void Broker::Body::set_filters(Slot& slot, const std::vector<std::string>& wanted) {
  std::vector<FilterRecord> next = slot.consumer->filters().replaced_by(wanted, last_recorded);
  std::unordered_set<std::string_view> keep;
  for (const FilterRecord& filter : next) keep.insert(filter.filter);
  for (const FilterRecord& filter : slot.consumer->filters().filters()) {
    if (!keep.contains(filter.filter)) filters.erase(filter.filter, slot.index);
  }
  for (const FilterRecord& filter : next) filters.insert(filter.filter, slot.index);
  slot.consumer->set_filters(std::move(next));
  wish(slot);
}

// Stores what has changed of a consumer; `done` runs on the loop, unless the
// consumer has gone meanwhile.
void Broker::Body::put(Slot& slot, std::function<void(Status)> done) {
  ConsumerRecord record = slot.record;
  record.filters = slot.consumer->filters().filters();
  slot.unsaved = true;
  store.put_consumer(std::move(record), [this, index = slot.index, uid = slot.uid,
                                         done = std::move(done)](Result<std::uint32_t> no) {
    post([this, index, uid, done, no = std::move(no)] {
      Slot* const stored = still(index, uid);
      if (stored == nullptr) return;
      stored->unsaved = !no;
      done(no ? Status() : tl::unexpected(no.error()));
    });
  });
}

void Broker::Body::attach(Slot& slot, SubscriptionId id, const SubscribeOptions& wanted,
                          const ListenerPtr& listener) {
  slot.id = id;
  slot.listener = listener;
  by_id[id] = &slot;
  slot.consumer->attach({.in_flight_max = wanted.in_flight_max,
                         .in_flight_bytes_max = std::min(wanted.in_flight_bytes_max,
                                                         options.limits.in_flight_bytes_max),
                         .ack_wait = std::min(wanted.ack_wait, kWaitMax)});
  listener->notify(Opened{id});
  touch(slot);
  if (slot.durable) sweep_soon();
}

void Broker::Body::close(SubscriptionId id) {
  const auto found = by_id.find(id);
  if (found == by_id.end()) return;
  Slot& slot = *found->second;
  const Error closed{Errc::Closed, "subscription: closed"};
  if (slot.id == id) {
    end_member(slot, closed);
    if (!slot.durable) erase_slot(slot);
    return;
  }
  by_id.erase(found);
  ListenerPtr listener;
  std::erase_if(slot.put_off, [&](const PutOff& what) {
    if (what.id != id) return false;
    if (what.opens) listener = what.opens;
    return true;
  });
  if (listener) listener->notify(Ended{id, closed});
}

void Broker::Body::end_member(Slot& slot, Error error) {
  const SubscriptionId id = std::exchange(slot.id, 0);
  const ListenerPtr listener = std::exchange(slot.listener, {});
  by_id.erase(id);
  slot.consumer->detach();
  slot.record.seen = now.wall;
  touch(slot);
  listener->notify(Ended{id, std::move(error)});
}

void Broker::Body::remove(const std::string& name, const ListenerPtr& listener,
                          std::uint64_t token) {
  const auto found = by_name.find(name);
  if (found == by_name.end()) {
    return listener->notify(Removed{
        token, fail(Errc::NotFound, fmt::format("consumer {}: there is none of that name", name))});
  }
  Slot& slot = *found->second;
  if (slot.with_store) {
    return put_off(slot, {0, {}, [=, this] { remove(name, listener, token); }});
  }
  if (slot.id != 0) {
    return listener->notify(
        Removed{token, fail(Errc::Busy, fmt::format("consumer {}: it has a member (close its "
                                                    "subscription first)",
                                                    name))});
  }
  slot.with_store = true;
  store.remove_consumer(slot.record.no,
                        [this, index = slot.index, uid = slot.uid, listener, token](Status status) {
                          post([this, index, uid, listener, token, status = std::move(status)] {
                            if (Slot* const removed = still(index, uid))
                              on_removed(*removed, listener, token, status);
                          });
                        });
}

void Broker::Body::on_removed(Slot& slot, const ListenerPtr& listener, std::uint64_t token,
                              const Status& status) {
  auto list = std::exchange(slot.put_off, {});
  slot.with_store = false;
  if (status) erase_slot(slot);
  listener->notify(Removed{token, status});
  run_put_off(list);
}

void Broker::Body::put_off(Slot& slot, PutOff what) {
  if (what.opens) by_id[what.id] = &slot;
  slot.put_off.push_back(std::move(what));
}

void Broker::Body::run_put_off(const std::deque<PutOff>& list) {
  // Each asks anew, and may have to wait again, behind those before it.
  for (const PutOff& what : list) {
    if (what.opens) by_id.erase(what.id);
  }
  for (const PutOff& what : list) what.run();
}

Broker::Body::Slot& Broker::Body::add_slot(std::unique_ptr<Consumer> consumer, bool is_durable) {
  if (free.empty()) {
    free.push_back(static_cast<std::uint32_t>(slots.size()));
    slots.emplace_back();
  }
  const std::uint32_t index = free.back();
  free.pop_back();
  slots[index] = std::make_unique<Slot>();
  Slot& slot = *slots[index];
  slot.index = index;
  slot.uid = next_uid++;
  slot.consumer = std::move(consumer);
  slot.durable = is_durable;
  ++(is_durable ? durable : ephemeral);
  for (const FilterRecord& filter : slot.consumer->filters().filters()) {
    filters.insert(filter.filter, index);
  }
  return slot;
}

void Broker::Body::erase_slot(Slot& slot) {
  for (const FilterRecord& filter : slot.consumer->filters().filters()) {
    filters.erase(filter.filter, slot.index);
  }
  answer_questions(slot);
  forget_interest(slot);
  --(slot.durable ? durable : ephemeral);
  if (slot.durable) by_name.erase(slot.record.name);
  if (slot.record.no != 0) by_no.erase(slot.record.no);
  free.push_back(slot.index);
  slots[slot.index].reset();
}

Broker::Body::Slot* Broker::Body::slot_of(SubscriptionId id) {
  const auto found = by_id.find(id);
  return found == by_id.end() || found->second->id != id ? nullptr : found->second;
}

Broker::Body::Slot* Broker::Body::still(std::uint32_t index, std::uint64_t uid) {
  Slot* const slot = index < slots.size() ? slots[index].get() : nullptr;
  return slot != nullptr && slot->uid == uid ? slot : nullptr;
}

void Broker::open(SubscriptionId id, const SubscribeOptions& options, const ListenerPtr& listener) {
  body_->tell_time();
  body_->open(id, options, listener);
}

void Broker::change(SubscriptionId id, const std::vector<std::string>& filters,
                    const std::string& attributes) {
  body_->change(id, filters, attributes);
}

void Broker::close_subscription(SubscriptionId id) { body_->close(id); }

void Broker::remove_consumer(const std::string& name, const ListenerPtr& listener,
                             std::uint64_t token) {
  body_->remove(name, listener, token);
}

void Broker::end_all(const Error& error) {
  body_->flush();
  std::vector<SubscriptionId> ids;
  for (const auto& [id, slot] : body_->by_id) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const SubscriptionId id : ids) {
    if (Body::Slot* const slot = body_->slot_of(id)) {
      body_->end_member(*slot, error);
      if (!slot->durable) body_->erase_slot(*slot);
      continue;
    }
    for (const Body::PutOff& what : body_->by_id.at(id)->put_off) {
      if (what.id == id && what.opens) what.opens->notify(Ended{id, error});
    }
    body_->by_id.erase(id);
  }
  for (const auto& slot : body_->slots) {
    if (!slot) continue;
    slot->put_off.clear();
    slot->questions.clear();
  }
  body_->flush();
}

}  // namespace marram
