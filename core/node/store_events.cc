#include "core/node/store_events.h"

#include <algorithm>
#include <utility>

#include "core/node/broker.h"
#include "core/node/mesh_part.h"

namespace marram {

void StoreEvents::on_committed(EventBatchPtr batch) {
  const std::size_t bytes = Tail::cost(*batch);
  if (queued_bytes_.load() + bytes > bytes_max_ && queued_bytes_.load() > 0) return drop(*batch);
  queued_bytes_ += bytes;
  // Who waits for the answer is woken up first: on_told() comes after it.
  loop_.post_quietly([this, batch = std::move(batch), bytes] {
    queued_bytes_ -= bytes;
    broker_->on_committed(batch);
    if (mesh_ != nullptr) mesh_->on_committed(*batch);
  });
}

// One task tells of all that was dropped until it runs.  Batches that were posted
// meanwhile come to the broker behind it and are behind what it knows by then.
void StoreEvents::drop(const EventBatch& batch) {
  ranges_of(batch, ranges_);
  const bool post = dropped_.with([&](Dropped& dropped) {
    for (const LogRange& range : ranges_) dropped.heads[range.log] = range.last;
    for (const EventView& event : batch.events()) {
      dropped.recorded = std::max(dropped.recorded, event.recorded);
    }
    return !std::exchange(dropped.posted, true);
  });
  if (post) loop_.post([this] { tell_dropped(); });
}

void StoreEvents::tell_dropped() {
  const Dropped dropped = dropped_.with([](Dropped& all) { return std::exchange(all, Dropped()); });
  std::vector<Position> heads;
  heads.reserve(dropped.heads.size());
  for (const auto& [log, seq] : dropped.heads) heads.emplace_back(log, seq);
  broker_->on_dropped(heads, dropped.recorded);
  if (mesh_ != nullptr) mesh_->on_dropped(heads);
}

void StoreEvents::on_log_opened(const LogRecord& log) {
  loop_.post([this, log] {
    broker_->on_log_opened(log);
    if (mesh_ != nullptr) mesh_->on_log_opened(log);
  });
}

void StoreEvents::on_cursors_saved(std::vector<CursorMove> moves) {
  loop_.post([this, moves = std::move(moves)] { broker_->on_cursors_saved(moves); });
}

void StoreEvents::on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                             std::uint64_t owed) {
  loop_.post([this, log, first, gap, owed] {
    broker_->on_trimmed(log, first, gap, owed);
    if (mesh_ != nullptr) mesh_->on_trimmed(log, first);
  });
}

void StoreEvents::on_copied(const LogRecord& log, const std::vector<Gap>& gaps) {
  loop_.post([this, log, gaps] {
    broker_->on_copied(log, gaps);
    if (mesh_ != nullptr) mesh_->on_copied(log);
  });
}

void StoreEvents::on_backfilled(const LogRecord& log,
                                const std::optional<BackfillRecord>& backfill) {
  loop_.post([this, log, backfill] {
    broker_->on_backfilled(log);
    if (mesh_ != nullptr) mesh_->on_backfilled(log, backfill);
  });
}

void StoreEvents::on_log_forgotten(std::uint32_t log) {
  loop_.post([this, log] {
    broker_->on_log_forgotten(log);
    if (mesh_ != nullptr) mesh_->on_log_forgotten(log);
  });
}

}  // namespace marram
