#include <fmt/format.h>

#include <algorithm>

#include "core/mesh/copies.h"

namespace marram::mesh {

namespace {

using wire::Begin;
using wire::WantKind;

constexpr std::size_t kGapsToldMax = 8192;

// The events in (after, upto]; the batch itself where those are all.
std::unique_ptr<EventBatch> part_of(std::unique_ptr<EventBatch> batch, std::uint64_t after,
                                    std::uint64_t upto) {
  if (!batch || batch->empty()) return nullptr;
  const auto inside = [&](const EventView& event) {
    return event.position.seq() > after && event.position.seq() <= upto;
  };
  if (inside(batch->events().front()) && inside(batch->events().back())) return batch;
  auto part = std::make_unique<EventBatch>();
  UuidMaker ids;
  for (const EventView& event : batch->events()) {
    if (inside(event)) part->add(event, event.time, ids);
  }
  return part->empty() ? nullptr : std::move(part);
}

// The gaps' parts in (after, upto].
std::vector<Gap> part_of(const std::vector<Gap>& gaps, std::uint64_t after, std::uint64_t upto) {
  std::vector<Gap> part;
  for (Gap gap : gaps) {
    gap.from = std::max(gap.from, after + 1);
    gap.to = std::min(gap.to, upto);
    if (gap.from <= gap.to) part.push_back(std::move(gap));
  }
  return part;
}

}  // namespace

Copies::Found Copies::find(const Link& link, std::uint64_t number) {
  const auto found = requests_.find({link.id(), number});
  if (found == requests_.end()) return {};
  Log* const log = tables_.logs.at(found->second);
  if (log == nullptr) return {};
  Fetch& f = fetch(*log);
  for (auto* const request : {&f.main, &f.backfill, &f.repair}) {
    if (*request && (*request)->session == link.id() && (*request)->number == number) {
      return {log, &f, &**request};
    }
  }
  return {};
}

Status Copies::on_data(Link& link, wire::Data data, std::uint64_t bytes, Now now, Actions& out) {
  const Found found = find(link, data.want);
  if (found.request == nullptr) {  // of a want that was replaced
    link.release(bytes);
    return {};
  }
  return take(link, found, {data.after, data.upto, std::move(data.batch), bytes}, now, out);
}

Status Copies::on_upto(Link& link, const wire::Upto& upto, std::uint64_t bytes, Now now,
                       Actions& out) {
  const Found found = find(link, upto.want);
  if (found.request == nullptr) {
    link.release(bytes);
    return {};
  }
  const bool says_more = upto.after == upto.upto && found.request->answered;
  if (says_more && found.request->kind == WantKind::Main) waiting_[found.log->index] = now.steady;
  return take(link, found, {upto.after, upto.upto, nullptr, bytes}, now, out);
}

Status Copies::on_gap(Link& link, const wire::LinkGap& gap, std::uint64_t bytes) {
  link.release(bytes);
  const Found found = find(link, gap.want);
  if (found.request == nullptr || found.request->kind == WantKind::Repair) return {};
  auto& told = found.request->gaps;
  if (gap.from == 0 || gap.from > gap.to || gap.to > wire::kSeqMax ||
      (!told.empty() && gap.from <= told.back().to) || told.size() >= kGapsToldMax) {
    return fail(Errc::Protocol, fmt::format("mesh: {} tells of a gap {}..{} out of order",
                                            link.peer().node_id, gap.from, gap.to));
  }
  told.push_back({0, gap.from, gap.to, gap.reason});
  return {};
}

Status Copies::on_part(Link& link, const wire::Part& part, std::uint64_t bytes, Now now,
                       Actions& out) {
  // It cannot be stored before the last one is here, and that would wait for room: so a part takes
  // none, unless one that is whole waits for the disk.
  const auto large = large_.find(link.id());
  if (large == large_.end()) {
    link.release(bytes);
  } else {
    large->second.bytes += bytes;
  }
  const Found found = find(link, part.want);
  if (found.request == nullptr) return {};
  if (found.request->kind == WantKind::Main) waiting_[found.log->index] = now.steady;
  auto& whole = found.request->part;
  found.request->heard = now.steady;
  if (part.offset == 0) whole = {{}, part.total, part.after, part.upto};
  if (part.offset != whole.bytes.size() || part.total != whole.total ||
      part.offset + part.bytes.size() > part.total) {
    return fail(Errc::Protocol,
                fmt::format("mesh: {} sends parts of an event out of order", link.peer().node_id));
  }
  whole.bytes += part.bytes;
  if (whole.bytes.size() < whole.total) return {};
  auto batch = std::make_unique<EventBatch>();
  if (auto status = decoder_.unpack_event(whole.bytes, *batch); !status) return status;
  Answer answer{.after = whole.after, .upto = whole.upto, .batch = std::move(batch), .large = true};
  whole = {};
  return take(link, found, std::move(answer), now, out);
}

// Events in order and within the answer; those that this node cannot keep are gaps.
Status Copies::check(Answer& answer, const Request& request) const {
  std::uint64_t last = answer.after;
  bool ok = answer.after <= answer.upto && answer.upto <= wire::kSeqMax;
  bool refused = false;
  if (!answer.batch) answer.batch = std::make_unique<EventBatch>();
  for (const EventView& event : answer.batch->events()) {
    ok = ok && event.position.seq() > last && event.position.seq() <= answer.upto;
    last = event.position.seq();
    refused = refused || !check_event(event, options_.limits);
  }
  if (!ok) {
    return fail(Errc::Protocol,
                fmt::format("mesh: {} answers with positions out of order", request.peer));
  }
  if (!refused) return {};
  auto kept = std::make_unique<EventBatch>();
  UuidMaker ids;
  for (const EventView& event : answer.batch->events()) {
    const Status status = check_event(event, options_.limits);
    const std::uint64_t seq = event.position.seq();
    if (status) {
      kept->add(event, event.time, ids);
    } else {
      answer.gaps.push_back({0, seq, seq, std::string(name(status.error().code))});
    }
  }
  answer.batch = std::move(kept);
  std::sort(answer.gaps.begin(), answer.gaps.end(),
            [](const Gap& a, const Gap& b) { return a.from < b.from; });
  return {};
}

Status Copies::take(Link& link, Found found, Answer answer, Now now, Actions& out) {
  Request& request = *found.request;
  request.heard = now.steady;
  answer.gaps = part_of(request.gaps, answer.after, answer.upto);
  std::erase_if(request.gaps, [&](const Gap& gap) { return gap.to <= answer.upto; });
  if (auto status = check(answer, request); !status) return status;
  const bool below = request.below || request.kind == WantKind::Backfill;
  if (below) {
    take_below(link, found, std::move(answer), now.steady, out);
  } else {
    take_main(link, found, std::move(answer), now.steady, out);
  }
  return {};
}

bool Copies::apply(Fetch& f, Request& request, CopyWrite& write) {
  if (request.applied || request.kind != WantKind::Main) return false;
  request.applied = true;
  if (request.all) {
    if (f.cover.whole()) return false;
    f.cover.make_whole(f.taken + 1);
    write.whole_from = f.cover.whole_from();
    return true;
  }
  if (!f.cover.whole() && f.cover.names() == request.filters) return false;
  f.cover.make_filtered(request.filters, f.taken + 1);
  write.whole_from = 0;
  write.filters = f.cover.filters();
  return true;
}

// How far an answer is taken: up to a gap that somebody else may have, or that is waited for.
Copies::Passed Copies::pass_gaps(Found found, std::vector<Gap>& gaps, std::uint64_t upto,
                                 TimePoint now) {
  auto& [log, f, request] = found;
  if (request->kind == WantKind::Repair) return {.upto = upto};
  const bool below = request->kind == WantKind::Backfill;
  auto& waits = below ? f->low_waits : f->waits;
  for (Gap& gap : gaps) {
    if (is_history(gap) && !request->promised(gap)) f->unpromised.add(gap);
    const bool owed = is_owed(*f, *request, gap);
    Link* const other = other_source(*log, *f, *request, gap, owed);
    if (other != nullptr) return {.upto = gap.from - 1, .other = other, .gap_to = gap.to};
    const bool dead_end = owed && is_dead_end(*f, below, gap, now);
    if (owed && !dead_end && must_wait(waits, *request, gap, now)) {
      return {.upto = gap.from - 1, .waits = true, .gap_to = gap.to};
    }
    // It was waited for long enough.
    if (dead_end || (waits && waits->to == gap.to)) gap.reason = "lost";
  }
  return {.upto = upto};
}

void Copies::take_main(Link& link, Found found, Answer answer, TimePoint now, Actions& out) {
  auto& [log, f, request] = found;
  std::vector<Gap> gaps = std::move(answer.gaps);
  CopyWrite next{.log = log->id, .durability = log->durability};
  bool changes = false;
  if (!f->begun) {
    f->begun = changes = request->applied = true;
    f->anew = log->own;
    f->taken = answer.after;
    // What is owed and must be waited for is filled in behind; nobody else waits.
    const bool owed = !gaps.empty() && gaps.front().from == answer.after + 1 &&
                      is_owed(*f, *request, gaps.front());
    if (owed) f->taken = std::min(gaps.front().to, answer.upto);
    const bool timed = request->from.at == Begin::At::Time;
    f->cover.begin(request->all, request->filters, f->taken,
                   timed ? std::optional(request->from.time) : std::nullopt);
    next.whole_from = f->cover.whole_from();
    next.filters = f->cover.filters();
  }
  const bool first = !std::exchange(request->answered, true);
  f->held = f->held || request->standing;
  if (answer.after > f->taken) {  // not what was asked for
    link.release(answer.bytes);
    stop(*f, request->kind == WantKind::Main ? f->main : f->repair, out);
    return again(*log, TimePoint());
  }
  changes = apply(*f, *request, next) || changes;
  // A repair that was asked for what the copy was before would leave out what belongs into it now.
  if (changes && f->repair && request != &*f->repair && !f->repair->below) stop(*f, f->repair, out);
  std::uint64_t upto = std::max(answer.upto, f->taken);
  gaps = part_of(gaps, f->taken, upto);
  const Passed passed = pass_gaps(found, gaps, upto, now);
  upto = passed.upto;
  if (answer.batch && !answer.batch->empty() &&
      answer.batch->events().front().position.seq() <= f->taken) {
    ++duplicates_;
  }
  next.after = f->taken;
  next.upto = upto;
  next.events = part_of(std::move(answer.batch), f->taken, upto);
  next.gaps = part_of(gaps, f->taken, upto);
  const bool moved = upto > f->taken;
  f->taken = upto;
  if (moved || changes) {
    write(*log, *f, std::move(next), {link.id(), answer.bytes, answer.large}, out);
  } else {
    link.release(answer.bytes);
  }
  if (first || passed.other != nullptr || changes) again(*log, TimePoint());
  if (passed.other != nullptr) {
    f->gap_told_by = link.id();
    stop(*f, f->main, out);
    ask_repair(*log, *f, *passed.other, {.below = false, .to = passed.gap_to, .at = now}, out);
  } else if (passed.waits) {
    stop(*f, f->main, out);
    again(*log, TimePoint());
  } else if (!tables_.sources.live(*log)) {
    again(*log, TimePoint());  // what comes next may be elsewhere
  }
}

// The first answer to a backfill from a time says where that is.  False: there was
// nothing to fill in.
bool Copies::locate_below(Link& link, Found found, const Answer& answer, Actions& out) {
  auto& [log, f, request] = found;
  if (request->known) return true;
  request->known = true;
  request->taken = std::min(answer.after, request->to);
  f->lack->start = request->taken + 1;
  if (request->taken < request->to) return true;
  end_search(*log, *f, request->to, {link.id(), answer.bytes, answer.large}, out);
  return false;
}

void Copies::end_search(Log& log, Fetch& f, std::uint64_t to, From from, Actions& out) {
  f.lack->start = to + 1;
  CopyWrite nothing{.log = log.id, .after = f.taken, .upto = f.taken};
  finish_below(f, nothing, out);
  nothing.end_backfill = false;
  write(log, f, std::move(nothing), from, out);
  again(log, TimePoint());
}

void Copies::take_below(Link& link, Found found, Answer answer, TimePoint now, Actions& out) {
  auto& [log, f, request] = found;
  if (!f->lack || !locate_below(link, found, answer, out)) return;
  request->answered = true;
  std::uint64_t upto = std::min(answer.upto, request->to);
  const std::uint64_t taken = request->taken;
  if (answer.after > taken || upto <= taken) {
    link.release(answer.bytes);
    if (answer.after <= taken) return;
    stop(*f, request->kind == WantKind::Backfill ? f->backfill : f->repair, out);
    return again(*log, TimePoint());
  }
  std::vector<Gap> gaps = part_of(answer.gaps, taken, upto);
  const Passed passed = pass_gaps(found, gaps, upto, now);
  upto = passed.upto;
  CopyWrite next{.log = log->id, .backfill = true, .after = taken, .upto = upto};
  if (!std::exchange(f->lack->stored, true)) {
    next.begin_backfill =
        BackfillRecord{f->lack->start, request->to, taken, request->all, request->filters};
  }
  next.events = part_of(std::move(answer.batch), taken, upto);
  next.gaps = part_of(gaps, taken, upto);
  if (!next.gaps.empty()) {
    const Gap& last = next.gaps.back();
    const bool promised = request->owed != 0 && request->owed <= last.to + 1;
    f->low_gap_to = is_history(last) && !promised ? last.to : 0;
  }
  request->taken = upto;
  f->lack->from = {Begin::At::Seq, upto + 1, {}};
  const bool ends = upto == request->to;
  if (ends) finish_below(*f, next, out);
  if (upto > taken || next.begin_backfill) {
    write(*log, *f, std::move(next), {link.id(), answer.bytes, answer.large}, out);
  } else {
    link.release(answer.bytes);
  }
  if (ends) return again(*log, TimePoint());
  if (passed.other == nullptr && !passed.waits) return;
  stop(*f, f->backfill, out);
  f->gap_told_by = link.id();
  if (passed.waits) return again(*log, TimePoint());
  ask_repair(*log, *f, *passed.other, {.below = true, .to = passed.gap_to, .at = now}, out);
}

void Copies::finish_below(Fetch& f, CopyWrite& write, Actions& out) {
  const Lack& lack = *f.lack;
  // Where the filtered copy has moved on meanwhile, it is not whole behind the stretch.
  const bool meets = lack.to + 1 >= (f.cover.whole() ? f.cover.whole_from() : f.taken + 1);
  if (meets || !lack.all) f.cover.fill(lack.all, lack.filters, lack.start, lack.since);
  write.end_backfill = true;
  if (lack.all) write.whole_from = f.cover.whole_from();
  write.filters = f.cover.filters();
  for (auto* const request : {&f.backfill, &f.repair}) {
    if (!*request || (request == &f.repair && !f.repair->below)) continue;
    requests_.erase({(*request)->session, (*request)->number});
    if (request == &f.repair) {
      f.gap_hold = false;
      f.asked.erase((*request)->peer);  // who had it may be asked for more of it
    }
    request->reset();
  }
  // Asked for what the copy was, it would leave out what belongs into it now.
  if (f.repair && f.repair->all != f.cover.whole()) stop(f, f.repair, out);
  f.lack.reset();
  f.low_waits.reset();
  f.low_gap_to = 0;
}

void Copies::write(Log& log, Fetch& f, CopyWrite write, From from, Actions& out) {
  for (const Gap& gap : write.gaps) gaps_[gap.reason] += gap.to - gap.from + 1;
  const Token token = next_token_++;
  const bool below = write.backfill || write.end_backfill;
  f.writes.push_back({token, below, write.begin_backfill.has_value(), false});
  writes_[token] = {log.index, from};
  if (from.large) ++large_[from.session].writes;
  out.push_back(WriteCopy{token, std::move(write)});
}

void Copies::give_back(const From& from) {
  Link* const link = tables_.links.find(from.session);
  if (link != nullptr) link->release(from.bytes);
  const auto large = large_.find(from.session);
  if (!from.large || large == large_.end() || --large->second.writes != 0) return;
  if (link != nullptr) link->release(large->second.bytes);
  large_.erase(large);
}

bool Copies::on_written(Token token, const Result<std::uint32_t>& no, Now now, Actions& out) {
  const auto known = writes_.find(token);
  if (known == writes_.end()) return false;
  Log* const log = tables_.logs.at(known->second.log);
  give_back(known->second.from);
  writes_.erase(known);
  if (log == nullptr) return true;
  Fetch& f = fetch(*log);
  const auto place = std::find_if(f.writes.begin(), f.writes.end(),
                                  [&](const PendingWrite& write) { return write.token == token; });
  if (place == f.writes.end()) return true;
  const PendingWrite done = *place;
  f.writes.erase(place);
  acks_.insert(log->index);
  again(*log, TimePoint());
  if (!no && !done.forgotten) {
    // Those behind it fail too.  What stands in the store is asked for again from there.
    for (PendingWrite& write : f.writes) write.forgotten = true;
    for (auto* const request : {&f.main, &f.backfill, &f.repair}) stop(f, *request, out);
    f.gap_hold = false;
    f.lack.reset();
    f.waits.reset();
    f.low_waits.reset();
    f.retry_at = now.steady + options_.retry;
  }
  if (!f.writes.empty()) return true;
  if (log->record) {
    on_record(*log);
  } else if (!no) {
    f.begun = false;
  }
  return true;
}

}  // namespace marram::mesh
