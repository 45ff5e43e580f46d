#include "core/client/readers.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/wire/encode.h"

namespace marram::client {

namespace {

Error closed_by_user() { return {Errc::Closed, "client: the subscription was closed"}; }

}  // namespace

void Readers::open(SubscriptionId id, SubscribeOptions options, ListenerPtr listener,
                   TimePoint now) {
  Reader& reader = readers_[id];
  reader.options = std::move(options);
  reader.listener = std::move(listener);
  reader.asked = now;
  if (in_session_) ask(id, reader);
}

void Readers::ask(SubscriptionId id, Reader& reader) {
  wire::Open open{id, reader.options};
  // A durable one may have to be made again, on a database that has not got it.
  const auto& start = reader.options.start;
  const bool from_new = reader.options.name.empty() || (start && start->at == Start::At::New);
  if (reader.known && from_new) {
    open.options.start = Start{.at = Start::At::Time, .time = reader.resume};
  }
  out_.push_back(wire::encode(open));
  reader.state = State::Asked;
}

void Readers::change(SubscriptionId id, std::vector<std::string> filters, std::string attributes) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  Reader& reader = found->second;
  reader.options.filters = std::move(filters);
  reader.options.attributes = std::move(attributes);
  ++reader.changes;
  if (reader.state == State::Waiting) return;
  out_.push_back(wire::encode(wire::Change{id, reader.options.filters, reader.options.attributes}));
}

void Readers::settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                     Duration delay) {
  const auto found = readers_.find(id);
  if (found == readers_.end() || positions.empty()) return;
  Reader& reader = found->second;
  if (reader.state != State::Open) {
    if (how == Settle::Ack) reader.keep_settled(positions);
    return;
  }
  std::vector<Position> earlier;
  if (how == Settle::Ack) {
    if (reader.acks.empty()) acked_.push_back(id);
    split(positions, reader.acks, earlier);
    reader.keep_settled(earlier);
    return;
  }
  std::vector<Position> known;
  split(positions, known, earlier);
  send_acks(id, reader);
  send_settle(id, known, how, delay);
}

// Appends to `known`, with the node's numbers, or to `earlier` what was had in another
// session, and in a log that this one has not spoken of.
void Readers::split(std::span<const Position> positions, std::vector<Position>& known,
                    std::vector<Position>& earlier) const {
  std::uint32_t log = 0;  // nowhere
  std::optional<std::uint32_t> there;
  for (const Position position : positions) {
    if (position.log() != log) {
      log = position.log();
      there = numbers_.there(log);
    }
    if (there) {
      known.emplace_back(*there, position.seq());
    } else {
      earlier.push_back(position);
    }
  }
}

// No more than can be unsettled at the node: logs that are gone do not come again.
void Readers::Reader::keep_settled(std::span<const Position> positions) {
  if (options.name.empty()) return;
  settled.insert(positions.begin(), positions.end());
  while (settled.size() > options.in_flight_max) settled.erase(settled.begin());
}

void Readers::send_settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                          Duration delay) {
  for (std::size_t at = 0; at < positions.size(); at += wire::kSettledMax) {
    const auto some = positions.subspan(at, std::min(wire::kSettledMax, positions.size() - at));
    out_.push_back(wire::encode_settle(id, some, how, delay));
  }
}

void Readers::send_acks(SubscriptionId id, Reader& reader) {
  send_settle(id, reader.acks, Settle::Ack, {});
  reader.acks.clear();
}

void Readers::send(std::vector<std::string>& out) {
  for (const SubscriptionId id : acked_) {
    const auto found = readers_.find(id);
    if (found != readers_.end()) send_acks(id, found->second);
  }
  acked_.clear();
  std::ranges::move(out_, std::back_inserter(out));
  out_.clear();
}

void Readers::close(SubscriptionId id) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  if (found->second.closing) return;
  if (found->second.state != State::Waiting) {
    send_acks(id, found->second);
    out_.push_back(wire::encode(wire::Close{id}));
    found->second.closing = true;
    return;
  }
  on_ended({id, closed_by_user()});
}

void Readers::start() {
  in_session_ = true;
  for (auto& [id, reader] : readers_) ask(id, reader);
}

void Readers::stop() {
  in_session_ = false;
  out_.clear();
  acked_.clear();
  std::vector<SubscriptionId> closed;  // the node need not be asked again
  for (auto& [id, reader] : readers_) {
    if (reader.closing) closed.push_back(id);
    for (Position& position : reader.acks) position = numbers_.here(position);
    reader.keep_settled(reader.acks);
    reader.acks.clear();
    reader.state = State::Waiting;
  }
  for (const SubscriptionId id : closed) on_ended({id, closed_by_user()});
}

void Readers::close_all() {
  for (auto& [id, reader] : readers_) {
    send_acks(id, reader);
    out_.push_back(wire::encode(wire::Close{id}));
  }
}

void Readers::end_all(const Error& error) {
  for (auto& [id, reader] : std::exchange(readers_, {})) reader.listener->notify(Ended{id, error});
}

void Readers::end_waiting(TimePoint asked, const Error& error) {
  std::vector<SubscriptionId> late;
  for (const auto& [id, reader] : readers_) {
    if (!reader.known && reader.state == State::Waiting && reader.asked <= asked) {
      late.push_back(id);
    }
  }
  for (const SubscriptionId id : late) on_ended({id, error});
}

void Readers::on_opened(const wire::OpenAnswer& answer) {
  const auto found = readers_.find(answer.id);
  if (found == readers_.end()) return;
  Reader& reader = found->second;
  reader.state = State::Open;
  reader.resumed = reader.known;
  if (!std::exchange(reader.known, true)) {
    reader.resume = answer.now;
    reader.listener->notify(Opened{answer.id});
  } else {
    // The filters of changes that the lost session did not answer were opened with.
    while (reader.changes > 0) on_changed({answer.id, {}});
  }
}

void Readers::on_changed(wire::ChangeAnswer answer) {
  const auto found = readers_.find(answer.id);
  if (found == readers_.end() || found->second.changes == 0) return;
  --found->second.changes;
  found->second.listener->notify(Changed{answer.id, std::move(answer.status)});
}

void Readers::on_deliver(wire::Deliver deliver) {
  const auto found = readers_.find(deliver.id);
  if (found == readers_.end() || deliver.batch->empty()) return;
  numbers_.bring_here(*deliver.batch);
  Reader& reader = found->second;
  const SubscriptionId id = deliver.id;
  if (reader.resumed) drop_known(id, reader, deliver);
  hand_out(id, reader, std::move(deliver));
}

// After a lost session: what the user has settled is settled, and what an
// ephemeral reader has had is passed over.
void Readers::drop_known(SubscriptionId id, Reader& reader, wire::Deliver& deliver) {
  std::vector<Position> known;
  std::erase_if(deliver.batch->events(), [&](const EventView& event) {
    const bool settled = reader.settled.erase(event.position) > 0;
    const bool passed_over =
        reader.options.name.empty() && deliver.attempt == 1 && reader.has_had(event.position);
    if (settled || passed_over) known.push_back(event.position);
    return settled || passed_over;
  });
  settle(id, known, Settle::Ack, {});
}

void Readers::hand_out(SubscriptionId id, Reader& reader, wire::Deliver deliver) {
  const EventBatchPtr batch(std::move(deliver.batch));
  const std::vector<EventView>& events = batch->events();
  Delivered delivered{id, batch, {}, deliver.attempt};
  const auto tell = [&] {
    if (!delivered.indices.empty()) reader.listener->notify(delivered);
    delivered.indices.clear();
  };
  delivered.indices.reserve(events.size());
  const bool ephemeral = reader.options.name.empty();
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    // The node counts attempts anew after a restart; what comes again says so.
    const bool again = reader.resumed && reader.has_had(events[i].position);
    const std::uint32_t attempt = std::max(deliver.attempt, again ? 2u : 1u);
    if (attempt != delivered.attempt) tell();
    delivered.attempt = attempt;
    delivered.indices.push_back(i);
    std::uint64_t& highest = reader.handed_out[events[i].position.log()];
    highest = std::max(highest, events[i].position.seq());
    if (ephemeral) reader.resume = std::max(reader.resume, events[i].recorded);
  }
  tell();
}

bool Readers::Reader::has_had(Position position) const {
  const auto found = handed_out.find(position.log());
  return found != handed_out.end() && position.seq() <= found->second;
}

void Readers::on_gap(wire::GapNotice notice) {
  const auto found = readers_.find(notice.id);
  if (found == readers_.end()) return;
  notice.gap.log = numbers_.here(notice.gap.log);
  found->second.listener->notify(Skipped{notice.id, std::move(notice.gap)});
}

void Readers::on_ended(wire::EndNotice notice) {
  const auto found = readers_.find(notice.id);
  if (found == readers_.end()) return;
  const ListenerPtr listener = std::move(found->second.listener);
  readers_.erase(found);
  listener->notify(Ended{notice.id, std::move(notice.error)});
}

}  // namespace marram::client
