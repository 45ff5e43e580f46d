#include <algorithm>

#include "core/event/topic.h"
#include "core/mesh/copies.h"

namespace marram::mesh {

namespace {

using wire::Begin;

constexpr Duration kOlderWait = std::chrono::seconds(30);
constexpr Duration kLookAgain = std::chrono::milliseconds(50);
constexpr Duration kNoNews = std::chrono::seconds(30);

// Whether a backfill brings all that the reader wants.
bool fills_for(const BackfillRecord& backfill, const ReaderNeed& reader) {
  const auto is_filled = [&](const FilterStart& start) {
    return std::any_of(backfill.filters.begin(), backfill.filters.end(),
                       [&](const std::string& filter) { return covers(filter, start.filter); });
  };
  return backfill.all || std::all_of(reader.filters.begin(), reader.filters.end(), is_filled);
}

// Memory has no history to look into.
bool begins_at_time(const Log& log, const ReaderNeed& reader) {
  return !reader.cursor && log.durability != Durability::Memory &&
         std::all_of(reader.filters.begin(), reader.filters.end(),
                     [](const FilterStart& filter) { return filter.from.at == Begin::At::Time; });
}

// What was asked for has begun and brought nothing yet.
bool has_nothing_yet(const Log& log) {
  return log.head() == 0 || (log.backfill && log.backfill->upto < log.backfill->from);
}

}  // namespace

// What others have of a closed log comes before what its origin wrote afterwards: readers
// hold the newer logs back as long as this one has a limit.
bool Copies::more_to_come(const Log& log) const {
  return log.closed && log.head() < tables_.sources.end(log);
}

// An earlier run of the origin is announced, and the first of it that the reader may read is on its
// way: the reader begins with that one.
bool Copies::waits_for_older(const Log& log, const ReaderNeed& reader, Now now) {
  if (now.steady - log.heard >= kOlderWait) return false;
  for (const auto& [index, other] : tables_.logs.all()) {
    if (other->id.origin != log.id.origin || other->id.stream != log.id.stream ||
        start_number(other->id.epoch) >= start_number(log.id.epoch)) {
      continue;
    }
    const auto found = fetches_.find(index);
    const Fetch* const f = found == fetches_.end() ? nullptr : &found->second;
    if (!other->record) {
      const bool comes = !other->planned || (f != nullptr && f->main);
      if (comes && tables_.sources.end(*other) != 0) return true;
    } else if (f != nullptr && (has_nothing_yet(*other) || more_to_come(*other)) &&
               !f->told.contains(reader.interest)) {
      return true;
    }
  }
  return false;
}

// What comes late and was recorded before is not new; what an origin records whose clock is behind
// is, once all is here that there was.
std::optional<std::uint64_t> Copies::find_start(const Log& log, Fetch& f, const ReaderNeed& reader,
                                                Now now, Actions& out) {
  const std::uint64_t head = log.record->head;
  Fetch::Find& find = f.finds.try_emplace(reader.interest, Fetch::Find{now.steady}).first->second;
  if (find.seq && *find.seq <= find.head) return find.seq;
  const bool answers = log.closed || (f.main && f.main->answered);
  const bool all_here = answers && f.taken == head && head >= tables_.sources.known_end(log);
  if (find.seq && find.head == head && all_here) return head + 1;
  const TimePoint late = find.since + kNoNews;
  if (now.steady >= late) return head + 1;
  again(log, late);
  if (find.asked && (!find.seq || find.head == head)) return {};
  WallTime time = WallTime::max();
  for (const FilterStart& filter : reader.filters) time = std::min(time, filter.from.time);
  const Token token = next_token_++;
  finds_[token] = {log.index, reader.interest};
  find = {find.since, true, head, {}};
  out.push_back(FindSeq{token, log.record->no, time});
  return {};
}

bool Copies::on_time_found(Token token, const Result<std::uint64_t>& seq) {
  const auto asked = finds_.find(token);
  if (asked == finds_.end()) return false;
  const auto fetch = fetches_.find(asked->second.log);
  const Log* const log = tables_.logs.at(asked->second.log);
  if (fetch != fetches_.end() && log != nullptr) {
    const auto find = fetch->second.finds.find(asked->second.interest);
    if (find != fetch->second.finds.end()) find->second.seq = seq.value_or(find->second.head + 1);
    again(*log, TimePoint());
  }
  finds_.erase(asked);
  return true;
}

// Says of every reader how far it may read, where that has changed.
void Copies::tell_readers(Log& log, Fetch& f, Now now, Actions& out) {
  if (!log.record) return;
  const Coverage cover = f.writes.empty() ? f.cover : Coverage(*log.record);
  const auto& backfill = log.backfill;
  const bool limited = more_to_come(log);
  std::map<std::uint64_t, Fetch::Told> kept;
  for (const ReaderNeed& reader : f.need.readers) {
    const auto before = f.told.find(reader.interest);
    std::uint64_t start = 1;
    std::uint64_t from = 1;
    bool timed = false;
    for (const FilterStart& filter : reader.filters) {
      // What is on its way to the disk counts where it makes the copy less.
      const std::uint64_t has = std::max(cover.from(filter.filter), f.cover.from(filter.filter));
      from = std::max(from, has);
      const bool at_seq = reader.cursor || filter.from.at == Begin::At::Seq;
      if (at_seq) {
        start = reader.cursor ? *reader.cursor + 1 : std::max(start, filter.from.seq);
      } else if (has != Coverage::kNever && (filter.from.at == Begin::At::Head ||
                                             f.cover.since(filter.filter, filter.from.time))) {
        timed = true;
      } else {
        from = Coverage::kNever;
      }
    }
    if (timed && !reader.cursor && from != Coverage::kNever) start = std::max(start, from);
    Fetch::Told told;
    if (before == f.told.end() && waits_for_older(log, reader, now)) {
      again(log, now.steady + kLookAgain);
      continue;
    }
    if (before == f.told.end() && from <= start && begins_at_time(log, reader)) {
      const auto place = find_start(log, f, reader, now, out);
      if (!place) continue;
      start = std::max(start, *place);
    }
    if (from <= start) {
      told = {start - 1, limited ? std::max(log.record->head, start - 1) : Readable::kNoLimit};
    } else if (backfill && std::max(backfill->from, log.record->first) <= start &&
               from <= backfill->to + 1 && fills_for(*backfill, reader)) {
      told = {start - 1, backfill->upto};
    } else {
      if (before != f.told.end()) kept[reader.interest] = before->second;
      continue;
    }
    // Whoever has read nothing has been promised nothing: the first answer may be a gap.
    if (before == f.told.end() && !reader.cursor && told.upto < start) continue;
    if (before != f.told.end()) {
      // A reader that began stays where it began.
      told.after = before->second.after;
      if (before->second.upto == Readable::kNoLimit && told.upto == Readable::kNoLimit) {
        kept[reader.interest] = before->second;
        continue;
      }
    }
    if (before == f.told.end() || !(before->second == told)) {
      out.push_back(Readable{reader.interest, log.record->no, told.after, told.upto});
    }
    kept[reader.interest] = told;
  }
  f.told = std::move(kept);
  std::erase_if(f.finds, [&](const auto& find) {
    return f.told.contains(find.first) ||
           std::none_of(f.need.readers.begin(), f.need.readers.end(),
                        [&](const auto& reader) { return reader.interest == find.first; });
  });
}

}  // namespace marram::mesh
