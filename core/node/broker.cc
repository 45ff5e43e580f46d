// The verbs of Bus.
#include "core/node/broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/event/topic.h"
#include "core/node/broker_body.h"

namespace marram {

namespace {

// A consumer that has a member is told as seen to the store so often.
constexpr Duration kSeenEvery = std::chrono::hours(1);

std::vector<FilterRecord> records(const std::vector<std::string>& filters) {
  std::vector<FilterRecord> out;
  std::set<std::string_view> known;
  for (const std::string& filter : filters) {
    if (known.insert(filter).second) out.push_back({filter, WallTime()});
  }
  return out;
}

Consumer::Member wishes(const SubscribeOptions& options) {
  return {.in_flight_max = options.in_flight_max,
          .in_flight_bytes_max = options.in_flight_bytes_max,
          .ack_wait = options.ack_wait};
}

Status check_filters(const std::vector<std::string>& filters, const Limits& limits) {
  if (filters.size() > limits.filters_per_consumer_max) {
    return fail(Errc::TooLarge, fmt::format("subscribe: {} filters, over the limit of {} (raise "
                                            "limits.filters_per_consumer_max)",
                                            filters.size(), limits.filters_per_consumer_max));
  }
  for (const std::string& filter : filters) {
    if (auto status = check_filter(filter, limits); !status) return status;
  }
  return {};
}

}  // namespace

Broker::Broker(Store& store, Post post, Options options)
    : body_(std::make_unique<Body>(store, std::move(post), std::move(options))) {}

Broker::~Broker() = default;

Status Broker::Body::check(const SubscribeOptions& wanted) const {
  const Limits& limits = options.limits;
  if (auto status = check_filters(wanted.filters, limits); !status) return status;
  if (!wanted.name.empty()) {
    if (auto status = check_name("consumer", wanted.name, limits); !status) return status;
  }
  if (wanted.in_flight_max == 0 || wanted.in_flight_max > limits.in_flight_max) {
    return fail(Errc::Invalid, fmt::format("subscribe: in_flight_max is {} (write 1 to {})",
                                           wanted.in_flight_max, limits.in_flight_max));
  }
  if (readers.size() < limits.consumers_max || by_name.contains(wanted.name)) return {};
  return fail(Errc::TooLarge, fmt::format("subscribe: {} consumers are there already (raise "
                                          "limits.consumers_max, or remove some)",
                                          readers.size()));
}

void Broker::open(SubscriptionId id, SubscribeOptions options, ListenerPtr listener) {
  options.in_flight_bytes_max = std::clamp<std::size_t>(options.in_flight_bytes_max, 1,
                                                        body_->options.limits.in_flight_bytes_max);
  if (auto status = body_->check(options); !status) {
    listener->notify(Ended{id, status.error()});
  } else if (options.name.empty()) {
    body_->open_ephemeral(id, std::move(options), std::move(listener));
  } else {
    body_->open_durable(id, std::move(options), std::move(listener));
  }
}

void Broker::Body::open_ephemeral(SubscriptionId id, SubscribeOptions wanted,
                                  ListenerPtr listener) {
  const Start start = wanted.start.value_or(Start{.at = Start::At::New});
  Reader& reader = add_reader(
      "", Consumer({.durable = false, .start = start, .filters = records(wanted.filters)}, logs));
  reader.member = id;
  reader.listener = std::move(listener);
  reader.wishes = wishes(wanted);
  by_member[id] = &reader;
  attach(reader);
}

void Broker::Body::open_durable(SubscriptionId id, SubscribeOptions wanted, ListenerPtr listener) {
  if (Reader* const known = find_name(wanted.name)) {
    if (known->removing || (known->member != 0 && !wanted.take_over)) {
      listener->notify(Ended{
          id,
          {Errc::Busy,
           fmt::format(
               "subscribe: consumer \"{}\" has a member already (close it first, or take over)",
               wanted.name)}});
      return;
    }
    take_over(*known, id, wanted, std::move(listener));
    return;
  }
  const Start start = wanted.start.value_or(Start{.at = Start::At::Earliest});
  Reader& reader = add_reader(
      wanted.name,
      Consumer({.durable = true, .start = start, .filters = records(wanted.filters)}, logs));
  reader.start = start;
  reader.attributes = std::move(wanted.attributes);
  reader.member = id;
  reader.listener = std::move(listener);
  reader.wishes = wishes(wanted);
  by_member[id] = &reader;
  store_then_attach(reader);
}

void Broker::Body::take_over(Reader& reader, SubscriptionId id, const SubscribeOptions& wanted,
                             ListenerPtr listener) {
  if (reader.member != 0) {
    end_member(reader, {Errc::Busy, fmt::format("subscribe: another member took consumer \"{}\" "
                                                "over",
                                                reader.name)});
  }
  reader.member = id;
  reader.listener = std::move(listener);
  reader.wishes = wishes(wanted);
  by_member[id] = &reader;
  auto filters = reader.consumer->filters().replaced_by(wanted.filters, recorded);
  const bool changed =
      filters != reader.consumer->filters().filters() || wanted.attributes != reader.attributes;
  if (changed) set_filters(reader, std::move(filters));
  reader.attributes = wanted.attributes;
  const WallTime wall = options.clock->wall();
  if (reader.no == 0) {
    reader.opening = true;  // its making is on the way to the disk
  } else if (changed || wall - reader.seen >= kSeenEvery) {
    store_then_attach(reader);
  } else {
    attach(reader);
  }
}

// The member gets Opened when the consumer, as it is now, is on disk.
void Broker::Body::store_then_attach(Reader& reader) {
  reader.opening = true;
  reader.seen = options.clock->wall();
  store.put_consumer(record(reader), [this, slot = reader.slot](Result<std::uint32_t> no) {
    post([this, slot, no] {
      Reader* const stored = find(slot);
      if (stored == nullptr) return;
      if (!no) {
        if (stored->member != 0) end_member(*stored, no.error());
        if (stored->no == 0) erase(*stored);
        return;
      }
      if (stored->no == 0) {
        stored->no = *no;
        by_no[*no] = stored;
        stored->consumer->forget_begins();
      }
      if (std::exchange(stored->opening, false) && stored->member != 0) attach(*stored);
    });
  });
}

void Broker::Body::attach(Reader& reader) {
  reader.opening = false;
  reader.consumer->attach(reader.wishes);
  reader.listener->notify(Opened{reader.member});
  mark(reader);
}

void Broker::Body::end_member(Reader& reader, Error error) {
  const SubscriptionId id = std::exchange(reader.member, 0);
  const ListenerPtr listener = std::move(reader.listener);
  by_member.erase(id);
  reader.opening = false;
  if (reader.consumer->attached()) reader.consumer->detach();
  listener->notify(Ended{id, std::move(error)});
}

void Broker::change(SubscriptionId id, std::vector<std::string> filters, std::string attributes) {
  Body::Reader* const reader = body_->find_member(id);
  if (reader == nullptr) return;
  if (auto status = check_filters(filters, body_->options.limits); !status) {
    reader->listener->notify(Changed{id, status});
    return;
  }
  body_->set_filters(*reader, reader->consumer->filters().replaced_by(filters, body_->recorded));
  reader->attributes = std::move(attributes);
  body_->mark(*reader);
  if (reader->name.empty()) {
    reader->listener->notify(Changed{id, {}});
    return;
  }
  reader->seen = body_->options.clock->wall();
  body_->store.put_consumer(
      body_->record(*reader),
      [body = body_.get(), id, listener = reader->listener](Result<std::uint32_t> no) {
        body->post([id, listener, no] {
          listener->notify(Changed{id, no ? Status() : tl::unexpected(no.error())});
        });
      });
}

void Broker::settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                    Duration delay) {
  Body::Reader* const reader = body_->find_member(id);
  if (reader == nullptr) return;
  reader->consumer->settle(positions, how, delay, body_->options.clock->now());
  body_->mark(*reader);
}

void Broker::close_subscription(SubscriptionId id) {
  Body::Reader* const reader = body_->find_member(id);
  if (reader == nullptr) return;
  body_->end_member(*reader, {Errc::Closed, "subscribe: the subscription was closed"});
  if (reader->name.empty()) {
    body_->erase(*reader);
  } else {
    body_->mark(*reader);
  }
}

void Broker::remove_consumer(std::string name, const ListenerPtr& listener, std::uint64_t token) {
  Body::Reader* const reader = body_->find_name(name);
  const auto answer = [&](Errc code, std::string_view why) {
    listener->notify(Removed{token, fail(code, fmt::format("consumer \"{}\": {}", name, why))});
  };
  if (reader == nullptr) return answer(Errc::NotFound, "there is none of that name");
  if (reader->member != 0 || reader->no == 0 || reader->removing) {
    return answer(Errc::Busy, "it has a member (close it first)");
  }
  reader->removing = true;
  body_->store.remove_consumer(
      reader->no, [body = body_.get(), slot = reader->slot, listener, token](Status status) {
        body->post([body, slot, listener, token, status] {
          if (Body::Reader* const removed = body->find(slot)) {
            if (status) {
              body->erase(*removed);
            } else {
              removed->removing = false;
            }
          }
          listener->notify(Removed{token, status});
        });
      });
}

void Broker::end_all(const Error& error) {
  std::vector<SubscriptionId> members;
  for (const auto& [id, reader] : body_->by_member) members.push_back(id);
  for (const SubscriptionId id : members) {
    Body::Reader& reader = *body_->find_member(id);
    body_->end_member(reader, error);
    if (reader.name.empty()) body_->erase(reader);
  }
  for (const auto& [slot, reader] : body_->readers) {
    if (reader->no == 0) continue;
    reader->consumer->save_idle(body_->actions);
    body_->carry_out(*reader);
  }
}

}  // namespace marram
