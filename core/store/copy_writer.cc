#include "core/store/copy_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/store/room.h"

namespace marram::store {

namespace {

constexpr std::uint64_t kSeqMax = (std::uint64_t{1} << Position::kSeqBits) - 1;
constexpr std::uint64_t kGapBytes = 64;

tl::unexpected<Error> invalid(const CopyWrite& write, std::string_view what) {
  return fail(Errc::Invalid,
              fmt::format("store: cannot write to the copy of {}: {} (report this, it is a bug)",
                          write.log.text(), what));
}

// Where the write has to begin; empty: nowhere.
std::optional<std::uint64_t> stand(const CopyWrite& write, const LogState* log) {
  if (!write.backfill) return log == nullptr ? write.after : log->record.head;
  if (log == nullptr) return {};
  if (write.begin_backfill) return write.begin_backfill->upto;
  if (!log->backfill) return {};
  return log->backfill->upto;
}

bool ascend(const CopyWrite& write) {
  std::uint64_t last = write.after;
  if (write.events) {
    for (const EventView& event : write.events->events()) {
      const std::uint64_t seq = event.position.seq();
      if (seq <= last || seq > write.upto) return false;
      last = seq;
    }
  }
  last = write.after;
  for (const Gap& gap : write.gaps) {
    if (gap.from <= last || gap.to < gap.from || gap.to > write.upto) return false;
    last = gap.to;
  }
  return true;
}

bool makes_sense(const BackfillRecord& backfill, std::uint64_t head) {
  return backfill.from >= 1 && backfill.from <= backfill.to && backfill.to <= head &&
         backfill.upto + 1 >= backfill.from && backfill.upto <= backfill.to;
}

std::optional<BackfillRecord> backfill_of(const LogState* log) {
  return log == nullptr ? std::nullopt : log->backfill;
}

}  // namespace

Status CopyWriter::check(const CopyWrite& write) const {
  const LogState* const log = std::as_const(tables_.logs).find(write.log);
  if (log != nullptr && log->record.open) return invalid(write, "this node writes it itself");
  const auto begin = stand(write, log);
  if (!begin) return invalid(write, "there is no such copy, or no backfill of it");
  if (*begin != write.after) {
    return invalid(write, fmt::format("it stands at {}, not at {}", *begin, write.after));
  }
  const std::uint64_t head = write.backfill ? log->record.head : write.upto;
  if (write.begin_backfill && !makes_sense(*write.begin_backfill, head)) {
    return invalid(write, "the backfill is nowhere");
  }
  const auto backfill = write.begin_backfill ? write.begin_backfill : backfill_of(log);
  const std::uint64_t most = write.backfill ? backfill->to : kSeqMax;
  if (write.upto < write.after || write.upto > most) return invalid(write, "upto is out of range");
  if (!ascend(write)) return invalid(write, "events or gaps are out of order");
  if (write.whole_from.value_or(0) > head + 1) return invalid(write, "whole_from is over the head");
  return {};
}

std::uint64_t CopyWriter::bytes(const CopyWrite& write) const {
  if (tables_.logs.durability(write) == Durability::Memory) return 0;
  std::uint64_t bytes = 0;
  for (const Gap& gap : write.gaps) bytes += kGapBytes + gap.reason.size();
  if (!write.events) return bytes;
  for (const EventView& event : write.events->events()) bytes += stored_bytes(event.bytes());
  return bytes;
}

Result<LogState*> CopyWriter::apply(CopyWrite& write, WallTime now) {
  auto found = log_for(write, now);
  if (!found) return found;
  LogState& log = **found;
  if (write.events) {
    if (auto status = add_events(log, *write.events, write.backfill); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (!log.in_memory()) {
    for (Gap& gap : write.gaps) {
      gap.log = log.record.no;
      if (auto status = tables_.gaps.add(gap); !status) return tl::unexpected(status.error());
    }
  }
  if (write.backfill && write.end_backfill && !log.in_memory())
    limit_to_what_is_left(log.record, write);
  move(log, write);
  if (auto status = change(log, write); !status) return tl::unexpected(status.error());
  tables_.logs.touch(log);
  return &log;
}

Result<LogState*> CopyWriter::log_for(const CopyWrite& write, WallTime now) {
  if (LogState* const log = tables_.logs.find(write.log)) return log;
  const auto made = tables_.logs.make_copy(write);
  if (made) (*made)->made = now;
  return made;
}

Status CopyWriter::add_events(LogState& log, EventBatch& events, bool backfill) {
  for (EventView& event : events.events()) {
    event.position = Position(log.record.no, event.position.seq());
    // Its consumers here are those of its own topics.
    log.mixed = log.mixed || tables_.streams.find(event.topic) != log.stream;
    if (log.in_memory()) continue;
    if (auto status = add_event(log, event, backfill); !status) return status;
  }
  if (!backfill && !events.empty()) {
    log.recorded = std::max(log.recorded, events.events().back().recorded);
  }
  return {};
}

Status CopyWriter::add_event(LogState& log, const EventView& event, bool backfill) {
  const std::uint64_t bytes = event.bytes();
  const auto added = backfill ? tables_.events.backfill(event)
                              : tables_.events.insert_absent(event, log.total + bytes);
  if (!added) return tl::unexpected(added.error());
  if (!*added) return {};
  if (!backfill) log.total += bytes;
  log.record.bytes += bytes;
  ++log.record.events;
  return {};
}

// Of what was filled in before, and of what follows it, history may have gone since the mesh wrote
// this.
void CopyWriter::limit_to_what_is_left(const LogRecord& record, CopyWrite& write) const {
  const bool meets = write.upto + 1 >= record.first;
  const std::uint64_t least = std::min(record.first, write.after + 1);
  if (write.whole_from.value_or(0) != 0) {
    write.whole_from = meets ? std::max(*write.whole_from, least) : record.whole_from;
  }
  if (!write.filters) return;
  for (CopyFilter& filter : *write.filters) {
    if (meets) {
      filter.from = std::max(filter.from, least);
      continue;
    }
    const auto before =
        std::find_if(record.filters.begin(), record.filters.end(),
                     [&](const CopyFilter& known) { return known.filter == filter.filter; });
    const std::uint64_t from = before == record.filters.end() ? record.head + 1 : before->from;
    filter.from = std::max(filter.from, from);
  }
}

void CopyWriter::move(LogState& log, const CopyWrite& write) const {
  LogRecord& record = log.record;
  if (write.backfill) {
    if (write.upto == write.after || log.in_memory()) return;
    record.first = std::min(record.first, write.after + 1);
    log.first_recorded.reset();
    return;
  }
  if (write.upto == record.head) return;
  record.head = write.upto;
  record.head_id.clear();
  if (log.in_memory()) {
    record.first = record.head + 1;
    return;
  }
  if (!write.events || write.events->empty()) return;
  const EventView& last = write.events->events().back();
  if (last.position.seq() == record.head) record.head_id = last.id_text();
}

Status CopyWriter::change(LogState& log, CopyWrite& write) {
  if (write.whole_from) log.record.whole_from = *write.whole_from;
  if (write.filters) {
    auto status = tables_.copies.put_filters(log, std::move(*write.filters));
    if (!status) return status;
  }
  return change_backfill(log, write);
}

Status CopyWriter::change_backfill(LogState& log, CopyWrite& write) {
  if (write.end_backfill) {
    return log.backfill ? tables_.copies.put_backfill(log, {}) : Status();
  }
  if (write.begin_backfill) {
    write.begin_backfill->upto = write.backfill ? write.upto : write.begin_backfill->upto;
    return tables_.copies.put_backfill(log, std::move(write.begin_backfill));
  }
  if (!write.backfill || write.upto == write.after) return {};
  return tables_.copies.move_backfill(log, write.upto);
}

}  // namespace marram::store
