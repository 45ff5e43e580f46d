#include "core/node/broker_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/event/topic.h"

namespace marram {

namespace {

constexpr std::size_t kMatchedTopicsMax = 4096;
constexpr Duration kIdleEvery = std::chrono::seconds(1);
constexpr Duration kRetryRead = std::chrono::milliseconds(200);
constexpr std::size_t kLookAheadMax = 64;  // consumers without a member, each idle round

KnownLog known(const LogRecord& log) {
  return {.no = log.no, .id = log.id, .open = log.open, .first = log.first, .head = log.head};
}

}  // namespace

Broker::Body::Body(Store& the_store, Post the_post, Options the_options)
    : store(the_store),
      post(std::move(the_post)),
      options(std::move(the_options)),
      tail(options.limits.tail_bytes_max),
      recorded(store.last_recorded()),
      started(options.clock->now()),
      idle_at(options.clock->now() + kIdleEvery) {
  for (const LogRecord& log : store.logs()) logs.add(known(log));
  for (ConsumerRecord& stored : store.consumers()) {
    Reader& reader = add_reader(
        stored.name,
        Consumer({.durable = true, .start = stored.start, .filters = {}}, logs, stored.cursors));
    reader.no = stored.no;
    reader.start = stored.start;
    reader.attributes = std::move(stored.attributes);
    reader.created = stored.created;
    reader.seen = stored.seen;
    by_no[stored.no] = &reader;
    set_filters(reader, std::move(stored.filters));
  }
}

// --- readers ---

Broker::Body::Reader& Broker::Body::add_reader(std::string name, Consumer consumer) {
  auto reader = std::make_unique<Reader>();
  reader->slot = next_slot++;
  reader->name = std::move(name);
  reader->consumer = std::make_unique<Consumer>(std::move(consumer));
  reader->created = reader->seen = options.clock->wall();
  Reader& added = *readers.emplace(reader->slot, std::move(reader)).first->second;
  if (!added.name.empty()) by_name.emplace(added.name, &added);
  for (const FilterRecord& filter : added.consumer->filters().filters()) {
    trie.insert(filter.filter, added.slot);
  }
  matched.clear();
  return added;
}

Broker::Body::Reader* Broker::Body::find(std::uint32_t slot) {
  const auto found = readers.find(slot);
  return found == readers.end() ? nullptr : found->second.get();
}

Broker::Body::Reader* Broker::Body::find_member(SubscriptionId id) {
  const auto found = by_member.find(id);
  return found == by_member.end() ? nullptr : found->second;
}

Broker::Body::Reader* Broker::Body::find_name(std::string_view name) {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

void Broker::Body::erase(Reader& reader) {
  for (const FilterRecord& filter : reader.consumer->filters().filters()) {
    trie.erase(filter.filter, reader.slot);
  }
  matched.clear();
  if (!reader.name.empty()) by_name.erase(reader.name);
  if (reader.no != 0) by_no.erase(reader.no);
  readers.erase(reader.slot);
}

void Broker::Body::set_filters(Reader& reader, std::vector<FilterRecord> filters) {
  for (const FilterRecord& filter : reader.consumer->filters().filters()) {
    trie.erase(filter.filter, reader.slot);
  }
  reader.consumer->set_filters(std::move(filters));
  for (const FilterRecord& filter : reader.consumer->filters().filters()) {
    trie.insert(filter.filter, reader.slot);
  }
  matched.clear();
}

void Broker::Body::mark(Reader& reader) {
  if (!std::exchange(reader.dirty, true)) dirty.push_back(reader.slot);
}

ConsumerRecord Broker::Body::record(const Reader& reader) const {
  return {.no = reader.no,
          .name = reader.name,
          .filters = reader.consumer->filters().filters(),
          .start = reader.start,
          .attributes = reader.attributes,
          .created = reader.created,
          .seen = reader.seen,
          .cursors = reader.consumer->begins()};
}

ConsumerInfo Broker::Body::info(const Reader& reader) const {
  ConsumerInfo info;
  info.name = reader.name;
  for (const FilterRecord& filter : reader.consumer->filters().filters()) {
    info.filters.push_back(filter.filter);
  }
  info.attributes = reader.attributes;
  info.attached = reader.member != 0;
  info.backlog = reader.consumer->backlog();
  info.oldest = reader.consumer->oldest();
  info.in_flight = reader.consumer->in_flight();
  info.redelivered = reader.consumer->redelivered();
  info.created = reader.created;
  return info;
}

// The readers that want a topic.  Publishers repeat their topics, so that the trie
// is rarely asked.
const std::vector<std::uint32_t>& Broker::Body::match(std::string_view topic) {
  topic_key.assign(topic);
  const auto found = matched.find(topic_key);
  if (found != matched.end()) return found->second;
  if (matched.size() >= kMatchedTopicsMax) matched.clear();
  std::vector<std::uint32_t>& slots = matched[topic_key];
  trie.match(topic, slots);
  return slots;
}

// --- what consumers ask for ---

void Broker::Body::tick(Reader& reader) {
  reader.dirty = false;
  reader.consumer->on_tick(now(), actions);
  carry_out(reader);
  plan(reader);
}

void Broker::Body::plan(Reader& reader) {
  const auto at = reader.consumer->wake_at();
  if (!at || *at >= reader.planned) return;
  reader.planned = *at;
  wakes.emplace(*at, reader.slot);
}

void Broker::Body::carry_out(Reader& reader) {
  for (Action& action : actions) {
    if (auto* deliver = std::get_if<Deliver>(&action)) {
      reader.listener->notify(Delivered{reader.member, std::move(deliver->batch),
                                        std::move(deliver->indices), deliver->attempt});
    } else if (auto* skip = std::get_if<SkipGap>(&action)) {
      reader.listener->notify(Skipped{reader.member, std::move(skip->gap)});
    } else if (const auto* wanted = std::get_if<ReadLog>(&action)) {
      read(reader.slot, *wanted);
    } else if (const auto* time = std::get_if<FindTime>(&action)) {
      find_time(reader.slot, *time);
    } else if (const auto* save = std::get_if<SaveCursor>(&action); save && reader.no != 0) {
      moves.push_back({reader.no, save->log, save->upto});
    }
  }
  actions.clear();
}

void Broker::Body::read(std::uint32_t slot, const ReadLog& read) {
  if (const auto part = tail.find(read.log, read.after + 1)) {
    answers.push_back({slot,
                       {.log = read.log,
                        .after = read.after,
                        .upto = part->upto,
                        .batch = part->batch,
                        .gaps = {},
                        .filtered = false}});
    return;
  }
  waiting_reads.push_back({slot, read});
}

void Broker::Body::start_reads() {
  while (reads < options.reads_max && !waiting_reads.empty()) {
    const PendingRead next = waiting_reads.front();
    waiting_reads.pop_front();
    Reader* const reader = find(next.slot);
    if (reader == nullptr) continue;
    ++reads;
    const FilterSet& filters = reader->consumer->filters();
    store.read({.log = next.read.log,
                .after = next.read.after,
                .filters = filters.matches_all() ? std::vector<FilterRecord>() : filters.filters(),
                .events_max = next.read.events_max,
                .bytes_max = next.read.bytes_max},
               [this, next](Result<ReadResult> result) {
                 post([this, next, result = std::move(result)]() mutable {
                   on_read(next.slot, next.read, std::move(result));
                 });
               });
  }
}

void Broker::Body::on_read(std::uint32_t slot, const ReadLog& read, Result<ReadResult> result) {
  --reads;
  Reader* const reader = find(slot);
  if (reader == nullptr) return;
  if (result) {
    const bool filled = result->batch != nullptr && !result->batch->empty();
    reader->consumer->on_stretch({.log = read.log,
                                  .after = read.after,
                                  .upto = result->upto,
                                  .batch = filled ? std::move(result->batch) : nullptr,
                                  .gaps = std::move(result->gaps),
                                  .filtered = true},
                                 now(), actions);
    carry_out(*reader);
  } else {
    if (options.log != nullptr) {
      options.log->warn("broker", result.error().message, {{"consumer", reader->name}});
    }
    reader->consumer->on_read_failed(read.log, options.clock->now() + kRetryRead);
  }
  mark(*reader);
}

void Broker::Body::find_time(std::uint32_t slot, const FindTime& find_it) {
  store.find_time(find_it.log, find_it.time, [this, slot, log = find_it.log](auto found) {
    post([this, slot, log, found] {
      Reader* const reader = find(slot);
      if (reader == nullptr) return;
      // A log that cannot be searched is read from where it begins.
      reader->consumer->on_time_found(log, found ? *found : 0);
      mark(*reader);
    });
  });
}

// Once a second: rates, cursors over what does not match, absent readers.
void Broker::Body::idle() {
  idle_at = options.clock->now() + kIdleEvery;
  std::size_t looks = 0;
  for (const auto& [slot, reader] : readers) {
    const std::uint64_t settled = reader->consumer->settled();
    const auto fresh = static_cast<double>(settled - reader->settled_before);
    reader->rate_per_s = 0.7 * reader->rate_per_s + 0.3 * fresh;
    reader->settled_before = settled;
    if (reader->name.empty() || reader->no == 0) continue;
    reader->consumer->save_idle(actions);
    if (reader->member == 0 && looks < kLookAheadMax) {
      const std::size_t before = actions.size();
      reader->consumer->look_ahead(actions);
      looks += actions.size() - before;
    }
    carry_out(*reader);
  }
}

// --- for the store ---

void Broker::on_committed(const EventBatchPtr& batch) {
  Body& body = *body_;
  ranges_of(*batch, body.ranges);
  for (const LogRange& range : body.ranges) {
    KnownLog* const log = body.logs.find(range.log);
    if (log != nullptr) log->head = std::max(log->head, range.last);
  }
  body.tail.push(batch, body.ranges);
  const auto& events = batch->events();
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    if (events[i].position == Position()) continue;  // refused
    body.recorded = std::max(body.recorded, events[i].recorded);
    for (const std::uint32_t slot : body.match(events[i].topic)) {
      Body::Reader& reader = *body.readers.at(slot);
      if (reader.indices.empty()) body.touched.push_back(slot);
      reader.indices.push_back(i);
    }
  }
  const Now now = body.now();
  for (const std::uint32_t slot : body.touched) {
    Body::Reader& reader = *body.readers.at(slot);
    reader.consumer->on_batch(batch, reader.indices, now, body.actions);
    reader.indices.clear();
    body.carry_out(reader);
    body.mark(reader);
  }
  body.touched.clear();
}

void Broker::on_dropped(std::span<const Position> heads, WallTime recorded) {
  Body& body = *body_;
  body.recorded = std::max(body.recorded, recorded);
  for (const Position position : heads) {
    KnownLog* const log = body.logs.find(position.log());
    if (log == nullptr) continue;
    for (const auto& [slot, reader] : body.readers) {
      reader->consumer->on_missed(log->no, log->head);
      body.mark(*reader);
    }
    log->head = std::max(log->head, position.seq());
  }
}

void Broker::on_log_opened(const LogRecord& log) {
  const KnownLog& opened = body_->logs.add(known(log));
  // This run wrote an earlier one, which a failed disk has ended.
  for (const auto& [no, other] : body_->logs.all()) {
    if (no != opened.no && other.open && other.lane == opened.lane) {
      body_->logs.find(no)->open = false;
    }
  }
  for (const auto& [slot, reader] : body_->readers) {
    reader->consumer->on_log_opened(opened);
    body_->mark(*reader);
  }
}

void Broker::on_cursors_saved(std::span<const CursorMove> moves) {
  for (const CursorMove& move : moves) {
    const auto found = body_->by_no.find(move.consumer);
    if (found == body_->by_no.end()) continue;
    found->second->consumer->on_saved(move.log, move.upto);
    body_->mark(*found->second);
  }
}

// Who had not read what is gone finds the gap where it was, when it gets there.
void Broker::on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap, bool owed) {
  if (KnownLog* const trimmed = body_->logs.find(log)) trimmed->first = first;
  if (!owed || body_->options.log == nullptr) return;
  body_->options.log->warn("broker", "events were dropped that a reader had not had",
                           {{"log", std::to_string(log)},
                            {"from", std::to_string(gap.from)},
                            {"to", std::to_string(gap.to)},
                            {"reason", gap.reason}});
}

// --- for the loop ---

void Broker::flush() {
  Body& body = *body_;
  std::vector<std::uint32_t> slots;
  std::vector<Body::Answer> answers;
  while (!body.dirty.empty() || !body.answers.empty()) {
    answers.clear();
    answers.swap(body.answers);
    for (const Body::Answer& answer : answers) {
      Body::Reader* const reader = body.find(answer.slot);
      if (reader == nullptr) continue;
      reader->consumer->on_stretch(answer.stretch, body.now(), body.actions);
      body.carry_out(*reader);
      body.mark(*reader);
    }
    slots.clear();
    slots.swap(body.dirty);
    for (const std::uint32_t slot : slots) {
      if (Body::Reader* const reader = body.find(slot)) body.tick(*reader);
    }
  }
  body.start_reads();
  if (!body.moves.empty()) body.store.save_cursors(std::exchange(body.moves, {}));
}

void Broker::on_tick() {
  Body& body = *body_;
  const TimePoint now = body.options.clock->now();
  while (!body.wakes.empty() && body.wakes.top().first <= now) {
    Body::Reader* const reader = body.find(body.wakes.top().second);
    body.wakes.pop();
    if (reader == nullptr) continue;
    reader->planned = TimePoint::max();
    body.mark(*reader);
  }
  if (body.idle_at <= now) body.idle();
}

std::optional<TimePoint> Broker::wake_at() const {
  TimePoint at = TimePoint::max();
  if (!body_->readers.empty()) at = body_->idle_at;
  if (!body_->wakes.empty()) at = std::min(at, body_->wakes.top().first);
  return at == TimePoint::max() ? std::nullopt : std::optional(at);
}

}  // namespace marram
