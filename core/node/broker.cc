#include "core/node/broker.h"

#include <algorithm>
#include <utility>

#include "core/node/broker_body.h"

namespace marram {

namespace {

constexpr Duration kSweepEvery = std::chrono::seconds(1);
constexpr Duration kSeenEvery = std::chrono::hours(1);
constexpr std::size_t kSweepSlots = 256;

}  // namespace

Broker::Broker(Store& store, Post post, Options options)
    : body_(std::make_unique<Body>(store, std::move(post), std::move(options))) {
  body_->load();
}

Broker::~Broker() = default;

Broker::Body::Body(Store& the_store, Post the_post, Options the_options)
    : store(the_store),
      post(std::move(the_post)),
      options(std::move(the_options)),
      log(options.log == nullptr ? Log::none() : *options.log),
      tail(options.limits.tail_bytes_max),
      drops(log) {
  tell_time();
  started = now.steady;
}

void Broker::Body::tell_time() { now = {options.clock->now(), options.clock->wall()}; }

void Broker::Body::touch(Slot& slot) {
  if (!std::exchange(slot.dirty, true)) dirty.push_back(slot.index);
}

void Broker::Body::on_committed(const EventBatchPtr& batch) {
  if (options.copies && is_copy(*batch)) {
    copied_more = copied_more || copied != nullptr;
    copied = batch;
    return;
  }
  ranges_of(*batch, ranges);
  bool news = false;
  for (const LogRange& range : ranges) {
    KnownLog* const known = logs.find(range.log);
    if (known == nullptr || range.last <= known->head) continue;  // told by on_dropped()
    if (range.first > known->head + 1) on_missed(Position(range.log, range.first - 1));
    known->head = range.last;
    news = true;
  }
  if (!news) return;
  for (auto event = batch->events().rbegin(); event != batch->events().rend(); ++event) {
    if (event->position.log() == 0) continue;
    last_recorded = std::max(last_recorded, event->recorded);
    break;
  }
  deliver(batch);
}

// To memory and to those who are live; `ranges` says what the batch covers.
void Broker::Body::deliver(const EventBatchPtr& batch) {
  tell_time();
  tail.push(batch, ranges);
  sweep_soon();
  if (!filters.empty()) match(batch);
}

void Broker::Body::match(const EventBatchPtr& batch) {
  const auto& events = batch->events();
  const MatchCache::Values* values = nullptr;
  std::string_view topic;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    if (events[i].position.log() == 0) continue;
    if (values == nullptr || !same_text(events[i].topic, topic)) {
      topic = events[i].topic;
      values = &filters.match(topic);
    }
    for (const FilterTrie::Value value : *values) {
      Slot& slot = *slots[value];
      if (!slot.matched) {
        slot.matched = true;
        slot.live = slot.consumer->live();
        matched.push_back(&slot);
      }
      if (slot.live) slot.indices.push_back(i);
    }
  }
  Actions todo;
  for (Slot* const slot : matched) {
    slot->matched = false;
    if (slot->indices.empty()) continue;
    slot->consumer->on_batch(batch, slot->indices, now, todo);
    slot->indices.clear();
    touch(*slot);
    carry_out(*slot, todo);
  }
  matched.clear();
}

void Broker::Body::on_missed(Position head) {
  KnownLog* const known = logs.find(head.log());
  if (known == nullptr) {
    early_heads[head.log()] = head.seq();  // it opens in a moment
    return;
  }
  if (head.seq() <= known->head) return;
  grow(*known);
  go_behind(*known);
  known->head = head.seq();
}

void Broker::Body::on_log_opened(const LogRecord& record) {
  const bool copy = options.copies && !record.open;
  if (copy && logs.find(record.no) != nullptr) return;
  // Of a copy on_copied() tells what the write brought that made it.
  const KnownLog& opened = logs.add({.no = record.no,
                                     .id = record.id,
                                     .open = copy || record.open,
                                     .memory = record.durability == Durability::Memory,
                                     .copy = copy,
                                     .own = record.id.origin == store.node_id(),
                                     .first = record.first,
                                     .head = copy ? record.first - 1 : record.head});
  // This run may have written an earlier one, which has ended.
  for (const auto& [no, other] : logs.all()) {
    if (copy || no == opened.no || !other.open || other.lane != opened.lane) continue;
    KnownLog& ended = *logs.find(no);
    ended.open = ended.copy && options.copies;
    ended.copy = options.copies;
  }
  for (const auto& slot : slots) {
    if (!slot) continue;
    slot->consumer->on_log_opened(opened);
    if (slot->consumer->attached()) touch(*slot);
  }
  if (const auto early = early_heads.extract(opened.no)) {
    on_missed(Position(opened.no, early.mapped()));
  }
}

// What was owed and is said to be dropped is not delivered any more: readers get the gap, from
// the disk.  History that memory still has is as good as before.
void Broker::Body::on_trimmed(std::uint32_t no, std::uint64_t first, const Gap& gap,
                              std::uint64_t owed) {
  KnownLog* const known = logs.find(no);
  if (known != nullptr) known->first = std::max(known->first, first);
  if (owed == 0) return;
  tail.cut(no, gap.to);
  if (known == nullptr) return;
  known->dropped = gap.to;
  known->dropped_for = gap.reason;
  drops.add(known->id.stream, gap.reason, owed, now.steady);
}

// `todo` grows while it is carried out: a read that memory answers has its own
// consequences.  It is empty afterwards.
void Broker::Body::carry_out(Slot& slot, Actions& todo) {
  for (std::size_t i = 0; i < todo.size(); ++i) {
    Action action = std::move(todo[i]);
    if (auto* deliver = std::get_if<Deliver>(&action)) {
      slot.listener->notify(Delivered{slot.id, std::move(deliver->batch),
                                      std::move(deliver->indices), deliver->attempt});
    } else if (auto* skip = std::get_if<SkipGap>(&action)) {
      slot.listener->notify(Skipped{slot.id, std::move(skip->gap)});
    } else if (auto* save = std::get_if<SaveCursor>(&action)) {
      moves.push_back({slot.record.no, save->log, save->upto});
    } else if (auto* find = std::get_if<FindTime>(&action)) {
      find_time(slot, *find);
    } else if (auto* read = std::get_if<ReadLog>(&action)) {
      if (answer_from_memory(slot, *read, todo)) {
        slot.consumer->on_tick(now, todo);
      } else {
        ask_disk({slot.index, slot.uid, *read});
      }
    }
  }
  todo.clear();
}

void Broker::Body::look_at(Slot& slot) {
  slot.dirty = false;
  // Before it has its number there is nowhere to save its cursors to.
  if (slot.durable && slot.record.no == 0) return;
  Actions todo;
  slot.consumer->on_tick(now, todo);
  carry_out(slot, todo);
  schedule(slot);
  if (slot.awaited) tell_delivered(slot);
}

void Broker::Body::flush() {
  if (!forgotten.empty()) drop_forgotten();
  if (!wishes.empty()) tell_wishes();
  if (!dirty.empty()) tell_time();
  for (std::size_t i = 0; i < dirty.size(); ++i) {
    Slot* const slot = slots[dirty[i]].get();
    if (slot != nullptr && slot->dirty) look_at(*slot);
  }
  dirty.clear();
  if (moves.empty()) return;
  store.save_cursors(std::exchange(moves, {}));
}

void Broker::Body::schedule(Slot& slot) {
  const auto wake = slot.consumer->wake_at();
  // A later time is found out when the earlier one has come.
  if (!wake || (slot.scheduled && *slot.scheduled <= *wake)) return;
  slot.scheduled = wake;
  wakes.emplace(*wake, slot.index, slot.uid);
}

void Broker::Body::on_tick() {
  tell_time();
  while (!wakes.empty() && std::get<TimePoint>(wakes.top()) <= now.steady) {
    const auto [at, index, uid] = wakes.top();
    wakes.pop();
    Slot* const slot = still(index, uid);
    if (slot == nullptr || slot->scheduled != at) continue;
    slot->scheduled.reset();
    if (const auto wake = slot->consumer->wake_at(); wake && *wake <= now.steady) {
      touch(*slot);
    } else {
      schedule(*slot);
    }
  }
  levels.on_tick(now.steady);
  drops.run(now.steady);
  if (sweep_at && *sweep_at <= now.steady) sweep();
}

void Broker::Body::sweep_soon() {
  sweep_left = slots.size();
  if (durable == 0) return;
  const TimePoint soon = now.steady + kSweepEvery;
  sweep_at = std::min(sweep_at.value_or(soon), soon);
}

// Some durable consumers a second: idle cursors move on, without a write a commit.
// All of them at least once an hour, for the sake of those with a member.
void Broker::Body::sweep() {
  Actions todo;
  if (sweep_left == 0) sweep_left = slots.size();
  for (std::size_t i = 0; i < kSweepSlots && sweep_left > 0; ++i, --sweep_left) {
    sweep_next = sweep_next + 1 < slots.size() ? sweep_next + 1 : 0;
    Slot* const slot = slots.empty() ? nullptr : slots[sweep_next].get();
    if (slot == nullptr || !slot->durable || slot->record.no == 0 || slot->with_store) continue;
    slot->meter.sample(slot->consumer->settled(), now.steady);
    slot->consumer->save_idle(todo);
    carry_out(*slot, todo);
    note_member(*slot);
  }
  sweep_at.reset();
  if (durable > 0) sweep_at = now.steady + (sweep_left > 0 ? kSweepEvery : kSeenEvery);
}

// Who has a member holds events back, also when its cursor stands still for long.
void Broker::Body::note_member(Slot& slot) {
  if (slot.id == 0 || now.wall - slot.record.seen < kSeenEvery) return;
  slot.record.seen = now.wall;
  put(slot, [](const Status&) {});
}

void Broker::settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                    Duration delay) {
  Body::Slot* const slot = body_->slot_of(id);
  if (slot == nullptr) return;
  if (how == Settle::Nack) body_->tell_time();
  delay = std::clamp(delay, Duration(0), Body::kWaitMax);
  slot->consumer->settle(positions, how, delay, body_->now.steady);
  if (slot->durable) body_->sweep_soon();
  body_->touch(*slot);
}

void Broker::on_committed(const EventBatchPtr& batch) { body_->on_committed(batch); }

void Broker::on_dropped(std::span<const Position> heads, WallTime recorded) {
  for (const Position head : heads) body_->on_missed(head);
  body_->last_recorded = std::max(body_->last_recorded, recorded);
}

void Broker::on_log_opened(const LogRecord& log) { body_->on_log_opened(log); }

void Broker::on_cursors_saved(std::span<const CursorMove> moves) {
  for (const CursorMove& move : moves) {
    const auto found = body_->by_no.find(move.consumer);
    if (found == body_->by_no.end()) continue;
    Body::Slot& slot = *found->second;
    slot.consumer->on_saved(move.log, move.upto);
    body_->touch(slot);
    if (body_->interests == nullptr) continue;
    const KnownLog* const log = body_->logs.find(move.log);
    if (log != nullptr && log->copy) {
      body_->interests->move_cursor(slot.uid, move.log, move.upto);
    }
  }
}

void Broker::on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                        std::uint64_t owed) {
  body_->tell_time();
  body_->on_trimmed(log, first, gap, owed);
}

void Broker::flush() { body_->flush(); }

void Broker::on_tick() {
  body_->on_tick();
  body_->flush();
}

std::optional<TimePoint> Broker::wake_at() const {
  std::optional<TimePoint> wake = body_->sweep_at;
  if (!body_->wakes.empty()) {
    const TimePoint at = std::get<TimePoint>(body_->wakes.top());
    wake = std::min(wake.value_or(at), at);
  }
  for (const auto& at : {body_->levels.wake_at(), body_->drops.wake_at()}) {
    if (at) wake = std::min(wake.value_or(*at), *at);
  }
  return wake;
}

}  // namespace marram
