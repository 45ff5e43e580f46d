// The broker in a mesh: copies of others' logs, and what readers want of them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/node/broker_body.h"

namespace marram {

namespace {

// From when on events count that an interest's filter matches, where it has no cursor.
wire::Begin begin_of(const Start& start, const FilterRecord& filter, WallTime created) {
  using At = wire::Begin::At;
  // What is recorded after a moment is recorded at the next one, or later.
  if (filter.after != WallTime()) return {.at = At::Time, .time = filter.after + Duration(1)};
  switch (start.at) {
    case Start::At::New:
      return {.at = At::Time, .time = created};
    case Start::At::Time:
      return {.at = At::Time, .time = start.time};
    case Start::At::Seq:
      return {.at = At::Seq, .seq = std::max<std::uint64_t>(start.seq, 1)};
    case Start::At::Earliest:
      break;
  }
  return {};
}

// What is known of (after, upto] of a log, in pieces.
std::vector<LogRange> pieces(std::uint32_t log, std::uint64_t after, std::uint64_t upto,
                             const std::vector<Gap>& gaps) {
  std::vector<LogRange> out;
  std::uint64_t next = after + 1;
  for (const Gap& gap : gaps) {
    const std::uint64_t from = std::max(gap.from, next);
    const std::uint64_t to = std::min(gap.to, upto);
    if (from > to) continue;
    if (from > next) out.push_back({log, next, from - 1, {}});
    out.push_back({log, from, to, gap.reason.empty() ? "lost" : gap.reason});
    next = to + 1;
  }
  if (next <= upto) out.push_back({log, next, upto, {}});
  return out;
}

}  // namespace

bool Broker::Body::is_copy(const EventBatch& batch) const {
  for (const EventView& event : batch.events()) {
    if (event.position.log() == 0) continue;
    const KnownLog* const known = logs.find(event.position.log());
    return known != nullptr && known->copy;
  }
  return false;
}

void Broker::Body::on_copied(const LogRecord& record, const std::vector<Gap>& gaps) {
  EventBatchPtr batch = std::exchange(copied, {});
  const bool more = std::exchange(copied_more, false);
  KnownLog* const known = logs.find(record.no);
  if (known == nullptr) return;
  known->first = record.first;
  if (!known->copy && !record.open) {  // of this run, and closed from now on
    known->open = false;
    known->copy = options.copies;
  }
  if (record.head <= known->head) return;  // told by on_dropped()
  if (!batch) batch = std::make_shared<EventBatch>();
  grow(*known);
  if (more) {  // a stretch in many batches is on disk: readers get it there
    go_behind(*known);
    known->head = record.head;
    return;
  }
  ranges = pieces(record.no, known->head, record.head, gaps);
  // A gap is told in its place: with what memory has, not with the batch as a whole.
  if (!gaps.empty()) go_behind(*known);
  known->head = record.head;
  deliver(batch);
}

// Whoever is live in the log reads it from here on, from memory or the disk.
void Broker::Body::go_behind(const KnownLog& known) {
  for (const auto& slot : slots) {
    if (!slot) continue;
    slot->consumer->on_missed(known.no, known.head);
    if (slot->consumer->attached()) touch(*slot);
  }
}

// A copy that has been as it is since before this run gets more.
void Broker::Body::grow(KnownLog& known) {
  if (!known.copy || std::exchange(known.open, true)) return;
  for (const auto& slot : slots) {
    if (!slot) continue;
    slot->consumer->on_grows_again(known, known.head);
    if (slot->consumer->attached()) touch(*slot);
  }
}

void Broker::Body::on_log_forgotten(std::uint32_t no) {
  forgotten.push_back(no);
  drop_forgotten();
}

void Broker::Body::drop_forgotten() {
  std::erase_if(forgotten, [&](std::uint32_t no) {
    bool unused = true;
    for (const auto& slot : slots) {
      if (slot) unused = slot->consumer->on_log_forgotten(no) && unused;
    }
    if (!unused) return false;
    logs.erase(no);
    tail.forget(no);
    replicated.erase(no);
    return true;
  });
}

// --- what readers want ---

void Broker::Body::wish(Slot& slot) {
  if (interests != nullptr && !std::exchange(slot.wish, true)) wishes.push_back(slot.index);
}

void Broker::Body::tell_wishes() {
  for (const std::uint32_t index : std::exchange(wishes, {})) {
    Slot* const slot = slots[index].get();
    if (slot == nullptr || !std::exchange(slot->wish, false)) continue;
    if (slot->durable && slot->record.no == 0) continue;  // once it is on disk
    slot->wished = true;
    by_wish[slot->uid] = slot;
    interests->put_interest(interest(*slot));
  }
}

mesh::Interest Broker::Body::interest(Slot& slot) const {
  mesh::Interest wanted;
  wanted.id = slot.uid;
  wanted.name = slot.durable ? slot.record.name : fmt::format("subscription {}", slot.id);
  wanted.durable = slot.durable;
  for (const FilterRecord& filter : slot.consumer->filters().filters()) {
    wanted.filters.push_back(
        {filter.filter, begin_of(slot.record.start, filter, slot.record.created)});
  }
  for (const auto& [no, known] : logs.all()) {
    if (!known.copy) continue;
    if (const auto cursor = slot.consumer->cursor_of(no)) wanted.cursors[no] = *cursor;
  }
  return wanted;
}

void Broker::Body::forget_interest(Slot& slot) {
  if (!slot.wished) return;
  by_wish.erase(slot.uid);
  interests->drop_interest(slot.uid);
}

void Broker::set_interests(InterestSink& sink) {
  body_->interests = &sink;
  for (const auto& slot : body_->slots) {
    if (slot) body_->wish(*slot);
  }
}

void Broker::on_readable(const mesh::Readable& readable) {
  const auto found = body_->by_wish.find(readable.interest);
  if (found == body_->by_wish.end()) return;  // it ended meanwhile
  Body::Slot& slot = *found->second;
  slot.consumer->on_readable(readable.log, readable.after, readable.upto);
  body_->touch(slot);
}

void Broker::on_copied(const LogRecord& log, const std::vector<Gap>& gaps) {
  body_->on_copied(log, gaps);
}

void Broker::on_backfilled(const LogRecord& log) {
  KnownLog* const known = body_->logs.find(log.no);
  if (known == nullptr) return;
  known->first = log.first;
  if (log.first <= known->dropped) known->dropped = 0;  // some of it has come again
  // What came lies among what memory has, and is on disk only.
  if (log.durability != Durability::Memory) body_->tail.forget(log.no);
}

void Broker::on_log_forgotten(std::uint32_t log) { body_->on_log_forgotten(log); }

std::optional<Tail::Part> Broker::recent(std::uint32_t log, std::uint64_t after) const {
  return body_->tail.find(log, after + 1);
}

std::optional<std::uint64_t> Broker::oldest_recent(std::uint32_t log, std::uint64_t after) const {
  return body_->tail.next(log, after);
}

const LogTable& Broker::logs() const { return body_->logs; }

}  // namespace marram
