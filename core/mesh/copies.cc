#include "core/mesh/copies.h"

#include <algorithm>

namespace marram::mesh {

namespace {

using wire::Begin;
using wire::WantKind;

constexpr Duration kSaidLate = std::chrono::seconds(3);  // it is said each two

bool asks_same(const Request& request, bool all, const std::vector<std::string>& filters) {
  return request.all == all && (all || request.filters == filters);
}

// From where on this node has promised the events, as a request says to its peer; what it had
// acknowledged before its disk went back may be gone.
std::uint64_t owed_from(const Fetch& f, const Request& asked) {
  const bool claims = asked.kind == WantKind::Repair;  // the peer keeps it from there on
  const std::uint64_t from = claims ? f.owed_from() : f.owed_from_but_for(asked.peer);
  return from > wire::kSeqMax ? 0 : std::min(std::max(from, f.once_acked + 1), wire::kSeqMax);
}

// It was asked for as promised from there on, and nobody has a right to `next` any more: others
// need not wait for it.
bool owes_less(const Fetch& f, const std::optional<Request>& asked, std::uint64_t next) {
  if (!asked || asked->said_owed == 0) return false;
  const std::uint64_t owed = owed_from(f, *asked);
  return owed == 0 || owed > std::max(asked->said_owed, next);
}

// What is held for peers that are here has to stay held for this node too: they ask for nothing
// while they look for another way.
bool stands(const Fetch& f, const std::string& asked) {
  return f.need.standing || f.need.kept_from_but_for(asked);
}

// What has been filled in so far is kept for peers that are here.
bool keeps_below(const Log& log, const Fetch& f) {
  return f.need.kept_from && log.backfill && *f.need.kept_from <= log.backfill->to;
}

// What a peer asks for beyond the head is not answered either: it must not let go of those who hold
// for it, who may have what this node waits for.
bool waits_for_answer(const Fetch& f, std::uint64_t end, TimePoint now) {
  const bool asks = f.main ? !f.main->answered : f.begun && f.taken < end;
  return asks || now < f.retry_at || (f.gap_hold && !(f.repair && f.repair->below)) ||
         (f.waits && f.taken < f.waits->to);
}

// Nobody needs it any more, or more is needed below: nothing of it is here yet, and who is asked
// for it may wait for that.
bool is_past(const Lack& lack, const std::optional<Lack>& now) {
  if (!now) return true;
  const bool both = lack.from.at == Begin::At::Seq && now->from.at == Begin::At::Seq;
  return both && !lack.stored && now->from.seq < lack.from.seq;
}

std::optional<WallTime> time_of(const Begin& begin) {
  return begin.at == Begin::At::Time ? std::optional(begin.time) : std::nullopt;
}

}  // namespace

Copies::Copies(Options options, Tables tables)
    : options_(std::move(options)), tables_(tables), decoder_(options_.limits) {}

void Copies::on_record(Log& log) {
  Fetch& f = fetch(log);
  if (!f.writes.empty()) {
    f.cover.set_first(std::min(f.cover.first(), log.record->first));
    return;
  }
  f.begun = true;
  f.taken = log.record->head;
  f.cover.follow(*log.record);
  acks_.insert(log.index);
}

void Copies::on_trimmed(const Log& log) {
  Fetch& f = fetch(log);
  f.cover.trim(log.record->first);
  // Of what has been filled in so far the first may have gone.
  if (f.lack && f.lack->stored && log.backfill) {
    const std::uint64_t gone_to = std::min(log.record->first - 1, log.backfill->upto);
    f.lack->start = std::max(f.lack->start, gone_to + 1);
  }
  again(log, TimePoint());
}

void Copies::again(const Log& log, TimePoint at) {
  const auto [found, is_new] = again_.emplace(log.index, at);
  if (!is_new) found->second = std::min(found->second, at);
}

std::vector<std::uint32_t> Copies::take_dirty(TimePoint now) {
  std::vector<std::uint32_t> dirty;
  for (auto i = again_.begin(); i != again_.end();) {
    if (i->second > now) {
      ++i;
      continue;
    }
    dirty.push_back(i->first);
    i = again_.erase(i);
  }
  return dirty;
}

std::optional<TimePoint> Copies::wake_at() const {
  std::optional<TimePoint> at;
  for (const auto& [index, time] : again_) at = std::min(at.value_or(time), time);
  return at;
}

void Copies::plan(Log& log, Need need, Now now, Actions& out) {
  log.planned = true;
  // Most logs of a large mesh concern nobody here.
  if (!need.wanted && !log.record && !fetches_.contains(log.index)) return;
  Fetch& f = fetch(log);
  f.need = std::move(need);
  if (log.writes() || log.forked || !f.need.wanted) {
    stop(f, f.main, out);
    stop(f, f.backfill, out);
    stop(f, f.repair, out);
    f.lack.reset();
    f.gap_hold = false;
    f.hole.reset();
    f.low_hole.reset();
    f.waits.reset();
    f.low_waits.reset();
    f.stuck.reset();
    f.low_stuck.reset();
    f.asked.clear();
    if (!keeps_below(log, f) && !log.forked) end_backfill(log, f, now, out);
    if (!log.writes()) release_all(log, f, now, out);
  } else {
    if (!f.gap_hold || (f.repair && f.repair->below)) plan_main(log, f, now, out);
    if (!f.gap_hold || (f.repair && !f.repair->below)) plan_backfill(log, f, now, out);
    check_repair(log, f, now, out);
    check_backfill(log, f, now, out);
    check_waits(log, f, now.steady, out);
    for (const bool below : {false, true}) note_stuck(log, f, below, now.steady);
    end_silent_repair(log, f, now.steady, out);
    end_silent_search(log, f, now.steady, out);
    if (has_all(log, f)) {
      release_all(log, f, now, out);
    } else {
      f.unwanted.reset();
      release_others(log, f, now, out);
    }
  }
  log.waits =
      f.need.wanted && !log.writes() && waits_for_answer(f, tables_.sources.end(log), now.steady);
  if (log.writes()) return;
  acks_.insert(log.index);
  log.whole_since = f.cover.whole_since();
  tell_readers(log, f, now, out);
}

// The next hop to the root of a position; where there is none, a neighbour that has it.  Never one
// that is alone in needing what is asked for, up to `upto`; but the origin asks everybody for what
// its disk has lost, since it alone can say that what follows is nowhere.
Link* Copies::upstream(Log& log, const Fetch& f, std::uint64_t position, std::uint64_t upto) {
  const auto usable = [&](const std::string& peer) -> Link* {
    const bool others =
        f.need.wanted_but_for(peer) && (upto == wire::kSeqMax || f.need.needs_but_for(peer, upto));
    return others || log.own ? tables_.links.live(peer) : nullptr;
  };
  const std::string root = tables_.sources.root(log, position);
  if (!root.empty() && root != options_.node_id) {
    const Map::Route* const route = tables_.map.route(root);
    if (route != nullptr) {
      if (Link* const link = usable(route->next)) return link;
    }
  }
  for (const auto& [peer, have] : log.have) {
    if (!says_it_has(have, position)) continue;
    if (Link* const link = usable(peer)) return link;
  }
  return nullptr;
}

bool Copies::asks_all(const Log& log, const Fetch& f) {
  return f.need.whole || log.own || !wire::filters_fit(f.need.filters) ||
         (f.need.keep && f.cover.whole()) || (f.lack && f.lack->all);
}

void Copies::plan_main(Log& log, Fetch& f, Now now, Actions& out) {
  if (now.steady < f.retry_at) return again(log, f.retry_at);
  const Begin lowest = f.need.lowest();
  const std::uint64_t next = f.begun ? f.taken + 1 : std::max<std::uint64_t>(lowest.seq, 1);
  const std::uint64_t end = tables_.sources.end(log);
  if (tables_.sources.closed(log) && (f.begun ? f.taken >= end : end == 0)) {
    stop(f, f.main, out);  // all of it is here
    f.hole.reset();
    return;
  }
  Link* link = upstream(log, f, next, wire::kSeqMax);
  if (keeps_waiting(log, f, {false, f.taken + 1}, link, now.steady)) return;
  const bool all = asks_all(log, f);
  if (f.main && (link == nullptr || link->id() != f.main->session)) {
    // What still delivers is kept for a moment: maps change in steps.
    if (now.steady - f.main->heard < options_.keep_upstream && f.main->answered) {
      if (!f.changed) f.changed = now.steady;
      if (now.steady - *f.changed < options_.keep_upstream) {
        again(log, *f.changed + options_.keep_upstream);
        link = tables_.links.find(f.main->session);
      }
    }
  } else {
    f.changed.reset();
  }
  if (link == nullptr) {
    stop(f, f.main, out);
    claim_next(log, f, now.steady, out);
    return wait_in_hole(log, f, {false, next}, now, out);
  }
  f.hole.reset();
  f.no_way.reset();
  // What nobody needs any more is not waited for.
  const bool higher = f.main && !f.begun && !f.main->answered && lowest.at == Begin::At::Seq &&
                      f.main->from.at == Begin::At::Seq && lowest.seq > f.main->from.seq;
  if (f.main && f.main->session == link->id() && asks_same(*f.main, all, f.need.filters) &&
      f.main->standing == stands(f, f.main->peer) && !higher && !owes_less(f, f.main, next)) {
    return;
  }
  ask_main(log, f, *link, now, out);
}

void Copies::ask_main(Log& log, Fetch& f, Link& link, Now now, Actions& out) {
  f.changed.reset();
  const bool standing = stands(f, link.peer().node_id);
  const bool eased = f.main && f.main->standing && !standing;
  if (!f.main || f.main->session != link.id()) f.steady_since = now.steady;
  if (f.main && f.main->session != link.id()) stop(f, f.main, out);
  if (f.main) requests_.erase({f.main->session, f.main->number});
  Request request;
  request.kind = WantKind::Main;
  request.all = asks_all(log, f);
  if (!request.all) request.filters = f.need.filters;
  request.standing = standing;
  request.from = f.begun ? Begin{Begin::At::Seq, f.taken + 1, {}} : f.need.lowest();
  request.heard = now.steady;
  f.main.emplace();
  ask(log, f, std::move(request), link, out);
  if (eased) out.push_back(SendFrame{link.id(), wire::Release{log.id.stream, {log.id}}});
}

void Copies::ask(Log& log, Fetch& f, Request request, Link& link, Actions& out) {
  request.peer = link.peer().node_id;
  request.session = link.id();
  request.number = link.next_want();
  request.owed = owed_from(f, request);
  request.end = tables_.sources.end(log);
  // Where a gap may go on nobody knows from where on it was promised: no other node is to wait.
  const bool below = request.below || request.kind == WantKind::Backfill;
  request.said_owed = below && f.may_go_on(request.from.seq) ? 0 : request.owed;
  wire::Want want{.number = request.number,
                  .log = log.id,
                  .kind = request.kind,
                  .standing = request.standing,
                  .all = request.all,
                  .filters = request.filters,
                  .from = request.from,
                  .to = request.to,
                  .id = {},
                  .owed = request.said_owed};
  if (log.record && request.from.at == Begin::At::Seq && request.from.seq == log.record->head + 1) {
    want.id = log.record->head_id;
  }
  out.push_back(SendFrame{link.id(), std::move(want)});
  requests_[{request.session, request.number}] = log.index;
  Fetch::Said& said = f.holders.emplace(request.peer, f.said).first->second;
  // What a backfill asks for is held from where it begins, which a time does not say here.
  if (request.from.at == Begin::At::Time) said = {};
  if (request.standing) on_stream_held(link.id(), log.id.stream, true);
  auto& place = request.kind == WantKind::Main       ? f.main
                : request.kind == WantKind::Backfill ? f.backfill
                                                     : f.repair;
  place = std::move(request);
}

void Copies::stop(Fetch& f, std::optional<Request>& request, Actions& out) {
  if (!request) return;
  requests_.erase({request->session, request->number});
  if (tables_.links.find(request->session) != nullptr) {
    out.push_back(SendFrame{request->session, wire::Stop{request->number}});
  }
  if (&request == &f.repair) f.gap_hold = false;
  request.reset();
}

void Copies::on_have(Log& log, const std::string& peer) {
  const auto found = fetches_.find(log.index);
  if (found == fetches_.end()) {
    if (!log.planned) again(log, TimePoint());  // the map may know nothing of it
    return;
  }
  Fetch& f = found->second;
  const auto& have = log.have[peer];
  const auto asked = f.asked.find(peer);
  if (asked != f.asked.end() && have.first <= std::min(have.upto, asked->second))
    f.asked.erase(asked);
  const Link* const link = tables_.links.live(peer);
  for (auto* const waits : {&f.waits, &f.low_waits}) {
    if (!*waits || (link != nullptr && link->id() == (*waits)->told_by)) continue;
    if (have.first <= (*waits)->to && have.first <= have.upto) (*waits)->again = true;
  }
  again(log, TimePoint());
}

void Copies::add_reader_lack(std::optional<Lack>& lack, const Fetch& f, const ReaderNeed& reader,
                             bool complete) const {
  for (const FilterStart& filter : reader.filters) {
    std::uint64_t from = f.cover.from(filter.filter);
    if (from == Coverage::kNever) {
      if (!complete) continue;  // the main want asks for it first
      from = f.taken + 1;
    }
    Begin begin = filter.from;
    if (reader.cursor) begin = {Begin::At::Seq, *reader.cursor + 1, {}};
    if (begin.at == Begin::At::Head) continue;
    if (begin.at == Begin::At::Seq && begin.seq >= from) continue;
    if (begin.at == Begin::At::Time && f.cover.since(filter.filter, begin.time)) continue;
    if (lack && lack->from.at != begin.at) continue;  // the next one
    if (!lack) lack = Lack{begin, 0, false, {}};
    lack->from.seq = std::min(lack->from.seq, begin.seq);
    lack->from.time = std::min(lack->from.time, begin.time);
    lack->to = std::max(lack->to, std::min(from - 1, f.taken));
    lack->filters.push_back(filter.filter);
  }
}

// Whether no main want will make more of what is here: the log has ended, or who is asked waits,
// perhaps for this node.
bool Copies::is_complete(const Log& log, const Fetch& f, TimePoint now) const {
  const bool stuck = f.main && !f.main->answered && now >= f.main->heard + kStands;
  return (log.closed || stuck) && f.taken >= tables_.sources.end(log);
}

std::optional<Lack> Copies::find_lack(const Log& log, const Fetch& f, TimePoint now) const {
  if (!f.begun) return {};
  const std::uint64_t whole = f.cover.whole_from();
  const bool complete = is_complete(log, f, now);
  if (whole == 0 && complete && f.need.all_from && *f.need.all_from <= f.taken) {
    return Lack{{Begin::At::Seq, *f.need.all_from, {}}, f.taken, true, {}};
  }
  if (whole == 0 && complete && f.need.all_since && f.taken != 0) {
    return Lack{{Begin::At::Time, 0, *f.need.all_since}, f.taken, true, {}};
  }
  if (whole > 1) {
    if (f.need.all_from && *f.need.all_from < whole) {
      return Lack{{Begin::At::Seq, *f.need.all_from, {}}, whole - 1, true, {}};
    }
    if (f.need.all_since && !log.own && !f.cover.whole_since(*f.need.all_since)) {
      return Lack{{Begin::At::Time, 0, *f.need.all_since}, whole - 1, true, {}};
    }
  }
  std::optional<Lack> lack;
  for (const ReaderNeed& reader : f.need.readers) add_reader_lack(lack, f, reader, complete);
  // What an origin has trimmed is nowhere; it knows itself where a time is.
  if (!lack || (log.own && lack->from.at == Begin::At::Time)) return {};
  lack->filters = without_covered(std::move(lack->filters));
  // A node's own closed log, and what is whole, stays whole.
  if (f.cover.whole() || !wire::filters_fit(lack->filters) || log.own) {
    lack->all = true;
    lack->filters.clear();
    lack->to = std::max(lack->to, f.cover.whole() ? whole - 1 : f.taken);
  }
  return lack;
}

void Copies::plan_backfill(Log& log, Fetch& f, Now now, Actions& out) {
  if (!f.begun) return;
  if (f.main && !f.main->answered && now.steady < f.main->heard + kStands)
    again(log, f.main->heard + kStands);
  if (f.lack && is_past(*f.lack, find_lack(log, f, now.steady))) {
    stop(f, f.backfill, out);
    if (f.repair && f.repair->below) stop(f, f.repair, out);
    f.lack.reset();
    f.low_waits.reset();
  }
  if (!f.lack) {
    f.lack = find_lack(log, f, now.steady);
    // One that was under way is gone on with; not one whose end is being written.
    const bool stands = log.backfill && std::none_of(f.writes.begin(), f.writes.end(),
                                                     [](auto& one) { return one.backfill; });
    if (f.lack && stands && log.backfill->to >= f.lack->to) {
      const BackfillRecord& was = *log.backfill;
      f.lack = Lack{{Begin::At::Seq, was.upto + 1, {}}, was.to, was.all, was.filters};
      f.lack->start = std::max(was.from, std::min(log.record->first, was.upto + 1));
      f.lack->stored = true;
    } else if (f.lack) {
      f.lack->since = time_of(f.lack->from);
      f.lack->start = f.lack->from.seq;
    } else if (!keeps_below(log, f)) {
      end_backfill(log, f, now, out);
    }
  }
  if (!f.lack) {
    stop(f, f.backfill, out);
    f.low_hole.reset();
    return;
  }
  if (now.steady < f.retry_at) return again(log, f.retry_at);
  const Begin& from = f.lack->from;
  const bool going = f.backfill && f.backfill->known;
  const std::uint64_t next = going                       ? f.backfill->taken + 1
                             : from.at == Begin::At::Seq ? from.seq
                                                         : f.lack->to;
  Link* const link = source_below(log, f, next, now.steady);
  if (keeps_waiting(log, f, {true, next}, link, now.steady)) return;
  if (link == nullptr) {
    if (f.backfill && f.backfill->known) f.lack->from = {Begin::At::Seq, f.backfill->taken + 1, {}};
    stop(f, f.backfill, out);
    return wait_in_hole(log, f, {true, next}, now, out);
  }
  f.low_hole.reset();
  if (f.backfill && f.backfill->session == link->id() && !owes_less(f, f.backfill, next)) return;
  if (going) f.lack->from = {Begin::At::Seq, f.backfill->taken + 1, {}};
  stop(f, f.backfill, out);
  Request request;
  request.kind = WantKind::Backfill;
  request.all = f.lack->all;
  request.filters = f.lack->filters;
  request.standing = stands(f, link->peer().node_id);
  request.from = f.lack->from;
  request.to = f.lack->to;
  request.heard = now.steady;
  request.known = request.from.at == Begin::At::Seq;
  request.taken = request.known ? request.from.seq - 1 : 0;
  ask(log, f, std::move(request), *link, out);
}

// Nobody needs it any more.
void Copies::end_backfill(Log& log, Fetch& f, Now now, Actions& out) {
  if (!log.backfill || !f.writes.empty()) return;
  if (now.steady < f.retry_at) return again(log, f.retry_at);
  CopyWrite end{.log = log.id, .after = f.taken, .upto = f.taken, .end_backfill = true};
  write(log, f, std::move(end), {}, out);
}

std::string Copies::upstream_of(const Log& log) const {
  const auto found = fetches_.find(log.index);
  if (found == fetches_.end() || !found->second.main) return {};
  return found->second.main->peer;
}

std::optional<TimePoint> Copies::heard_of(const Log& log) const {
  const auto found = fetches_.find(log.index);
  if (found == fetches_.end() || !found->second.main) return {};
  return found->second.main->heard;
}

std::vector<std::uint32_t> Copies::take_waiting(TimePoint now) {
  std::vector<std::uint32_t> waiting;
  std::erase_if(waiting_, [&](const auto& item) {
    if (now - item.second >= kSaidLate) return true;
    waiting.push_back(item.first);
    return false;
  });
  return waiting;
}

bool Copies::is_held(const Log& log) const {
  const auto found = fetches_.find(log.index);
  return found != fetches_.end() && found->second.held;
}

void Copies::on_session_down(SessionId session, const std::string& peer, Now now) {
  for (auto& [index, f] : fetches_) {
    const bool repairing = f.repair && f.repair->session == session;
    if (repairing) f.gap_hold = false;
    if (f.backfill && f.backfill->session == session && f.backfill->known && f.lack) {
      f.lack->from = {Begin::At::Seq, f.backfill->taken + 1, {}};
    }
    bool any = f.asked.erase(peer) != 0;
    for (auto* const request : {&f.main, &f.backfill, &f.repair}) {
      if (!*request || (*request)->session != session) continue;
      request->reset();
      any = true;
    }
    if (any) again_[index] = now.steady;
  }
  requests_.erase(requests_.lower_bound({session, 0}), requests_.lower_bound({session + 1, 0}));
  large_.erase(session);
  held_.erase(session);
}

void Copies::forget(std::uint32_t index) {
  fetches_.erase(index);
  again_.erase(index);
  acks_.erase(index);
  std::erase_if(requests_, [&](const auto& item) { return item.second == index; });
}

}  // namespace marram::mesh
