#include "core/store/retention.h"

#include <algorithm>
#include <limits>

namespace marram::store {

namespace {

constexpr std::uint64_t kRowsMax = 4096;
constexpr std::uint64_t kBytesMax = 4 << 20;

bool has_rule(const StreamOptions& stream) {
  return stream.retain.age || stream.retain.bytes || stream.ttl;
}

bool has_events(const LogState& log) { return log.record.events > 0; }

bool has_holes(const LogState& log) {
  return log.record.events != log.record.head + 1 - log.record.first;
}

Position at(const LogState& log, std::uint64_t seq) { return {log.record.no, seq}; }

}  // namespace

bool Retention::has_rules() const {
  const auto& streams = tables_.streams.streams();
  return std::any_of(streams.begin(), streams.end(), has_rule);
}

Result<bool> Retention::slice(WallTime now) {
  for (auto& [no, log] : tables_.logs.all()) {
    if (!has_events(log) || !has_rule(tables_.streams.streams()[log.stream])) continue;
    const auto cut = cut_by_rules(log, now);
    if (!cut) return tl::unexpected(cut.error());
    if (cut->upto < log.record.first) continue;
    const auto freed = trim(log, *cut, now);
    if (!freed) return tl::unexpected(freed.error());
    return true;
  }
  return false;
}

Result<Retention::Cut> Retention::cut_by_rules(LogState& log, WallTime now) {
  const StreamOptions& stream = tables_.streams.streams()[log.stream];
  std::uint64_t upto = 0;
  if (stream.retain.age) {
    const auto aged = upto_before(log, now - *stream.retain.age);
    if (!aged) return tl::unexpected(aged.error());
    upto = *aged;
  }
  const std::uint64_t bytes = stream.retain.bytes ? stream_bytes(log.stream) : 0;
  if (stream.retain.bytes && bytes > *stream.retain.bytes) {
    const auto over = upto_bytes(log, bytes - *stream.retain.bytes);
    if (!over) return tl::unexpected(over.error());
    upto = std::max(upto, *over);
  }
  // Who holds what is asked only where a rule wants something.
  if (upto >= log.record.first) upto = std::min(upto, tables_.holds.history(log, now));
  if (!stream.ttl) return Cut{upto};
  const auto dead = upto_before(log, now - *stream.ttl);
  if (!dead) return tl::unexpected(dead.error());
  return *dead > upto ? Cut{*dead, "ttl"} : Cut{upto};
}

std::uint64_t Retention::stream_bytes(std::size_t stream) const {
  std::uint64_t bytes = 0;
  for (const auto& [no, log] : tables_.logs.all()) {
    if (log.stream == stream) bytes += log.record.bytes;
  }
  return bytes;
}

template <class Reached>
Result<std::uint64_t> Retention::first_that(const LogState& log, Reached reached) {
  std::uint64_t low = log.record.first;
  std::uint64_t high = log.record.head + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto mark = tables_.events.first(at(log, middle), at(log, log.record.head));
    if (!mark) return tl::unexpected(mark.error());
    if (*mark && !reached(**mark)) {
      low = (*mark)->seq + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<std::uint64_t> Retention::upto_before(LogState& log, WallTime time) {
  // Most of the time nothing is that old.
  const auto oldest = first_recorded(log);
  if (!oldest) return tl::unexpected(oldest.error());
  if (*oldest >= time) return log.record.first - 1;
  const auto kept =
      first_that(log, [&](const EventTable::Mark& mark) { return mark.recorded >= time; });
  if (!kept) return tl::unexpected(kept.error());
  return *kept - 1;
}

// The events up to the answer, itself included, have at least `bytes`.
Result<std::uint64_t> Retention::upto_bytes(const LogState& log, std::uint64_t bytes) {
  if (log.backfilled_bytes() > 0) {
    const auto reached =
        tables_.events.reach(at(log, log.record.first), at(log, log.record.head),
                             {.trimmed = log.trimmed, .bytes = bytes, .rows = kRowsMax});
    if (!reached) return tl::unexpected(reached.error());
    return reached->value_or(log.record.head);
  }
  const auto reached = first_that(
      log, [&](const EventTable::Mark& mark) { return mark.total >= log.trimmed + bytes; });
  if (!reached) return tl::unexpected(reached.error());
  return std::min(*reached, log.record.head);
}

Result<WallTime> Retention::first_recorded(LogState& log) {
  if (log.first_recorded) return *log.first_recorded;
  const auto mark = tables_.events.first(at(log, log.record.first), at(log, log.record.head));
  if (!mark) return tl::unexpected(mark.error());
  log.first_recorded = *mark ? (*mark)->recorded : log.recorded;
  return *log.first_recorded;
}

Result<std::uint64_t> Retention::free_history(std::uint64_t bytes, WallTime now) {
  LogState* oldest = nullptr;
  for (auto& [no, log] : tables_.logs.all()) {
    if (!has_events(log) || tables_.holds.history(log, now) < log.record.first) continue;
    const auto recorded = first_recorded(log);
    if (!recorded) return tl::unexpected(recorded.error());
    if (oldest == nullptr || *recorded < *oldest->first_recorded) oldest = &log;
  }
  if (oldest == nullptr) return 0;
  const auto upto = upto_bytes(*oldest, bytes);
  if (!upto) return tl::unexpected(upto.error());
  return trim(*oldest, {std::min(*upto, tables_.holds.history(*oldest, now))}, now);
}

Result<std::uint64_t> Retention::drop_oldest(std::size_t stream, std::uint64_t bytes,
                                             WallTime now) {
  tables_.holds.forget();  // what has been delivered by now is not counted as dropped
  for (auto& [no, log] : tables_.logs.all()) {
    if (log.stream != stream || !has_events(log)) continue;
    const auto upto = upto_bytes(log, bytes);
    if (!upto) return tl::unexpected(upto.error());
    return trim(log, {*upto, "drop_oldest"}, now);
  }
  return 0;
}

Result<std::uint64_t> Retention::trim(LogState& log, Cut cut, WallTime now) {
  const auto upto = bounded(log, cut.upto);
  if (!upto) return tl::unexpected(upto.error());
  cut.upto = *upto;
  const auto weight = weigh(log, cut.upto);
  if (!weight) return tl::unexpected(weight.error());
  if (auto status = note(log, cut, now); !status) return tl::unexpected(status.error());
  const auto rows = tables_.events.erase(at(log, log.record.first), at(log, cut.upto));
  if (!rows) return tl::unexpected(rows.error());
  const std::uint64_t before = log.record.bytes;
  log.trimmed = std::max(log.trimmed, weight->total);
  log.record.events -= std::min(log.record.events, *rows);
  log.record.bytes = before - std::min(before, weight->bytes);
  log.record.first = cut.upto + 1;
  log.record.trimmed = true;
  if (log.record.whole_from != 0) {
    log.record.whole_from = std::max(log.record.whole_from, log.record.first);
  }
  if (cut.upto == log.record.head) {
    log.trimmed = log.total;
    log.record.bytes = 0;
    log.record.head_id.clear();
    log.head_moved = false;
  }
  log.first_recorded.reset();
  tables_.logs.touch(log);
  auto status = tables_.copies.raise_filters(log, log.record.first);
  if (!status) return tl::unexpected(status.error());
  // At least one, so that the caller goes on after a stretch that had no rows.
  return std::max<std::uint64_t>(before - log.record.bytes, 1);
}

// Where a transaction ends at the latest that is to cut up to `upto`.
Result<std::uint64_t> Retention::bounded(const LogState& log, std::uint64_t upto) {
  const std::uint64_t average = log.record.bytes / log.record.events + 1;
  const std::uint64_t rows = std::clamp<std::uint64_t>(kBytesMax / average, 1, kRowsMax);
  upto = std::min(upto, log.record.head);
  if (!has_holes(log)) return std::min(upto, log.record.first + rows - 1);
  const auto reached = tables_.events.reach(
      at(log, log.record.first), at(log, upto),
      {.trimmed = log.trimmed, .bytes = std::numeric_limits<std::uint64_t>::max(), .rows = rows});
  if (!reached) return tl::unexpected(reached.error());
  return reached->value_or(upto);
}

Result<EventTable::Weight> Retention::weigh(const LogState& log, std::uint64_t upto) {
  const Position from = at(log, log.record.first);
  if (log.backfilled_bytes() > 0) return tables_.events.weigh(from, at(log, upto), log.trimmed);
  const auto last = tables_.events.last(from, at(log, upto));
  if (!last) return tl::unexpected(last.error());
  const std::uint64_t total = *last ? (*last)->total : log.trimmed;
  return EventTable::Weight{total, total - log.trimmed};
}

Status Retention::note(LogState& log, Cut cut, WallTime now) {
  const std::uint64_t history = std::min(cut.upto, tables_.holds.history(log, now));
  if (history >= log.record.first) {
    if (auto status = note_history(log, history); !status) return status;
  }
  return history == cut.upto ? Status() : note_owed(log, cut, history);
}

Status Retention::note_history(const LogState& log, std::uint64_t upto) {
  const std::uint32_t no = log.record.no;
  trims_.push_back({no, upto + 1, {no, log.record.first, upto, "retention"}, 0});
  // What this node has said of a log that it wrote stays said.
  if (!log.record.open && log.record.id.origin == tables_.logs.node_id()) return {};
  // Everybody here has been told of what went before.
  auto status = tables_.gaps.forget(no, upto);
  if (!status || !log.record.open) return status;
  return tables_.gaps.add({no, 1, upto, "retention"});
}

Status Retention::note_owed(const LogState& log, Cut cut, std::uint64_t history) {
  const std::uint32_t no = log.record.no;
  const Gap gap{no, std::max(log.record.first, history + 1), cut.upto, cut.reason};
  const auto rows = tables_.events.count(at(log, gap.from), at(log, gap.to));
  if (!rows) return tl::unexpected(rows.error());
  trims_.push_back({no, cut.upto + 1, gap, *rows});
  if (*rows == 0) return {};
  if (auto status = tables_.gaps.count(gap.reason, *rows); !status) return status;
  return tables_.gaps.add(gap);
}

}  // namespace marram::store
