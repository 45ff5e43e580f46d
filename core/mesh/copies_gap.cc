#include <algorithm>

#include "core/mesh/copies.h"

namespace marram::mesh {

using wire::Begin;
using wire::WantKind;

constexpr Duration kAskAgain = std::chrono::seconds(20);
constexpr Duration kAskAgainMost = std::chrono::minutes(10);

namespace {

Duration two_trips(const Link& link) { return link.round_trip().value_or(Duration(0)) * 2; }

// What a peer announced and did not answer is not there any more.
void forget_have(Log& log, const std::string& peer, const Begin& asked) {
  const auto have = log.have.find(peer);
  if (have == log.have.end()) return;
  if (asked.at != Begin::At::Seq || says_it_has(have->second, asked.seq)) log.have.erase(have);
}

// Whether something was promised up to there.
bool is_promised(const Fetch& f, std::uint64_t upto) {
  return f.need.standing && f.owed_from() <= upto;
}

}  // namespace

// A gap is recorded when every neighbour that may have the position has been asked: those
// that announce it, and those that held for this node; of what is owed also those that hold the
// stream: they may have it, or somebody may hold it for them.
Link* Copies::other_source(Log& log, const Fetch& f, const Request& told, const Gap& gap,
                           bool owed) {
  for (const auto& [peer, id] : tables_.links.peers()) {
    if (peer == told.peer || !f.need.wanted_but_for(peer)) continue;
    const auto asked = f.asked.find(peer);
    if (asked != f.asked.end() && asked->second >= gap.to) continue;
    const auto have = log.have.find(peer);
    const bool has = have != log.have.end() && says_it_has(have->second, gap.from);
    const auto held = held_.find(id);
    const bool holds = owed && held != held_.end() && held->second.contains(log.id.stream) &&
                       f.owed_from_but_for(peer) <= gap.to;
    if (!has && !holds && !f.holders.contains(peer)) continue;
    return tables_.links.live(peer);
  }
  return nullptr;
}

// Only custody passed on makes an origin trim what is owed: somebody has it.  What this node
// had acknowledged itself, before its disk went back, may be gone; and where a gap goes on that
// nobody was owed, a reader that is behind that gap by now is owed no more of it.
bool Copies::is_owed(const Fetch& f, const Request& told, const Gap& gap) const {
  if (told.kind == WantKind::Backfill && f.may_go_on(gap.from)) return false;
  const bool owed = f.owed_from_but_for(told.peer) <= gap.to && gap.to > f.once_acked;
  return owed && told.promised(gap) && gap.reason == kRetention && told.standing;
}

bool Copies::must_wait(std::optional<Fetch::Waits>& waits, const Request& told, const Gap& gap,
                       TimePoint now) {
  // Its origin may have trimmed more meanwhile.
  if (!waits || gap.from > waits->to)
    waits = Fetch::Waits{gap.to, now, 0, false, kAskAgain, now + kAskAgain};
  waits->to = gap.to;
  waits->told_by = told.session;
  waits->again = false;
  waits->retry = std::max(waits->retry, now + waits->pause);  // all have been asked now
  return now - waits->since < options_.hold_away_max;
}

// The one who told of the gap is not asked again until something has changed: there is news, or
// nobody is owed it any more.
bool Copies::keeps_waiting(const Log& log, Fetch& f, const Missing& missing, const Link* link,
                           TimePoint now) {
  auto& waits = missing.below ? f.low_waits : f.waits;
  if (!waits) return false;
  if (missing.from > waits->to || f.owed_from() > waits->to) {
    waits.reset();
    return false;
  }
  const bool same = link != nullptr && link->id() == waits->told_by;
  if (now >= waits->retry) {
    f.asked.clear();
    waits->again = true;
    waits->pause = std::min(waits->pause * 2, kAskAgainMost);
    waits->retry = now + waits->pause;
  }
  const TimePoint most = waits->since + options_.hold_away_max;
  const TimePoint due = std::min(most, stuck_until(f, missing.below).value_or(most));
  if (link != nullptr && (!same || waits->again || now >= due)) return false;
  again(log, now < due ? std::min(waits->retry, due) : waits->retry);
  return true;
}

std::optional<TimePoint> Copies::stuck_until(const Fetch& f, bool below) const {
  const auto& stuck = below ? f.low_stuck : f.stuck;
  if (!stuck || !all_here_) return {};
  return std::max(stuck->since, *all_here_) + options_.stuck_max;
}

// Everybody who may keep it, for whomever, has been here for long, as far as is known.
bool Copies::is_dead_end(const Fetch& f, bool below, const Gap& gap, TimePoint now) const {
  const auto until = stuck_until(f, below);
  const auto& stuck = below ? f.low_stuck : f.stuck;
  return until && now >= *until && gap.from <= stuck->at && gap.to <= stuck->to;
}

void Copies::note_stuck(const Log& log, Fetch& f, bool below, TimePoint now) {
  auto& stuck = below ? f.low_stuck : f.stuck;
  if (below ? !f.lack : !f.begun) return stuck.reset();
  const auto& waits = below ? f.low_waits : f.waits;
  const bool asks = f.gap_hold && f.repair && f.repair->below == below;
  const std::uint64_t at = below ? f.lack->from.seq : f.taken + 1;
  const bool seeks = below && f.backfill && !f.backfill->known;
  const std::uint64_t to =
      std::max({waits ? waits->to : 0, asks ? f.asked[f.repair->peer] : 0, seeks ? f.lack->to : 0});
  // Its origin may have trimmed more meanwhile.
  if (stuck && (stuck->at != at || stuck->to < to)) stuck.reset();
  if (!stuck && to >= at) stuck = Fetch::Stuck{at, to, now};
  const auto until = stuck_until(f, below);
  if (until && now < *until) again(log, *until);
}

// Nodes that wait for each other hear nothing that would end it.
void Copies::end_silent_repair(Log& log, Fetch& f, TimePoint now, Actions& out) {
  if (!f.gap_hold || !f.repair || f.repair->answered) return;
  const auto until = stuck_until(f, f.repair->below);
  if (!until) return;
  const auto have = log.have.find(f.repair->peer);
  const std::uint64_t next = f.repair->below ? f.repair->taken + 1 : f.taken + 1;
  if (have != log.have.end() && says_it_has(have->second, next)) return;  // its turn will come
  const TimePoint due = std::max(*until, f.repair->heard + options_.stuck_max);
  if (now < due) return again(log, due);
  stop(f, f.repair, out);
  again(log, TimePoint());
}

// Copies that all begin behind a time do not know where that is: what there was of it is gone.
void Copies::end_silent_search(Log& log, Fetch& f, TimePoint now, Actions& out) {
  if (!f.lack || !f.backfill || f.backfill->known) return;
  const auto until = stuck_until(f, true);
  if (!until) return;
  const TimePoint due = std::max(*until, f.backfill->heard + options_.stuck_max);
  if (now < due) return again(log, due);
  const std::uint64_t end = f.lack->to;
  stop(f, f.backfill, out);
  end_search(log, f, end, {}, out);
}

void Copies::ask_repair(Log& log, Fetch& f, Link& link, const Missing& missing, Actions& out) {
  stop(f, f.repair, out);
  Request request;
  request.kind = WantKind::Repair;
  request.heard = missing.at;
  request.below = missing.below;
  if (missing.below) {
    request.all = f.lack->all;
    request.filters = f.lack->filters;
    request.from = f.lack->from;
    request.to = f.lack->to;
    request.known = true;
    request.taken = f.lack->from.seq - 1;
  } else if (f.begun) {
    request.all = f.cover.whole();
    if (!request.all) request.filters = f.cover.names();
    request.from = {Begin::At::Seq, f.taken + 1, {}};
  } else if (f.main) {
    request.all = f.main->all;
    request.filters = f.main->filters;
    request.from = f.main->from;
  } else {
    request.all = asks_all(log, f);
    if (!request.all) request.filters = f.need.filters;
    request.from = f.need.lowest();
  }
  if (missing.to) f.gap_hold = true;
  if (missing.to || missing.claims) {
    request.standing = f.need.standing;  // what was promised is held until it is here
    auto& asked = f.asked[link.peer().node_id];
    asked = std::max(asked, missing.to.value_or(missing.from));
  }
  ask(log, f, std::move(request), link, out);
}

void Copies::on_stop(Link& link, const wire::Stop& stop, Now now) {
  const Found found = find(link, stop.want);
  if (found.request == nullptr) return;
  Fetch& f = *found.fetch;
  const std::string& peer = link.peer().node_id;
  requests_.erase({link.id(), stop.want});
  if (found.request->kind == WantKind::Repair) {
    if (found.request->answered) {
      f.asked.erase(peer);  // of what follows it may have more
    } else {
      forget_have(*found.log, peer, found.request->from);
    }
    f.repair.reset();
    f.gap_hold = false;
    f.ahead.reset();
    return again(*found.log, TimePoint());
  }
  if (found.request->kind == WantKind::Backfill && !found.request->answered) {
    forget_have(*found.log, peer, found.request->from);
  }
  (found.request->kind == WantKind::Main ? f.main : f.backfill).reset();
  f.retry_at = now.steady + options_.retry;
  again(*found.log, f.retry_at);
}

// Whoever was asked may have to ask others first; a neighbour that has it need not.
void Copies::ask_who_has(Log& log, Fetch& f, TimePoint now, Actions& out) {
  const bool below = f.repair->below;
  const std::uint64_t next = below ? f.repair->taken + 1 : f.taken + 1;
  const std::uint64_t to = f.asked[f.repair->peer];
  const auto own = log.have.find(f.repair->peer);
  const bool comes = own != log.have.end() && says_it_has(own->second, next);
  if (comes || f.repair->part.total != 0) return;
  for (const auto& [peer, have] : log.have) {
    Link* const link = peer == f.repair->peer ? nullptr : tables_.links.live(peer);
    if (link == nullptr || link->id() == f.gap_told_by) continue;
    if (!says_it_has(have, next)) continue;
    const auto asked = f.asked.find(peer);
    if (asked != f.asked.end() && asked->second >= to) continue;
    return ask_repair(log, f, *link, {.below = below, .from = next, .to = to, .at = now}, out);
  }
}

// A neighbour that says it has a position, other than who is asked for it already.
Link* Copies::who_has(const Log& log, const Fetch& f, const Request& asked,
                      std::uint64_t position) {
  for (const auto& [peer, have] : log.have) {
    if (peer == asked.peer || !says_it_has(have, position) || !f.need.wanted_but_for(peer))
      continue;
    if (asked.to != 0 && !f.need.needs_but_for(peer, asked.to)) continue;
    if (Link* const link = tables_.links.live(peer)) return link;
  }
  return nullptr;
}

// The upstream; where that says nothing, since it waits itself perhaps, a neighbour that has it.
Link* Copies::source_below(Log& log, const Fetch& f, std::uint64_t position, TimePoint now) {
  Link* const asked = f.backfill ? tables_.links.find(f.backfill->session) : nullptr;
  if (asked != nullptr) {
    const auto have = log.have.find(f.backfill->peer);
    if (have != log.have.end() && says_it_has(have->second, position)) return asked;
    const Duration pause = f.backfill->answered ? kStands : options_.repair_after;
    const TimePoint due = f.backfill->heard + std::max(pause, two_trips(*asked));
    Link* const better = who_has(log, f, *f.backfill, position);
    if (better != nullptr && now >= due) return better;
    if (better != nullptr) again(log, due);
  }
  Link* const link = upstream(log, f, position, f.lack->to);
  if (link != nullptr || !f.lack->stored) return link;
  // What stands between the part that is here and the copy also who alone needs that part may have.
  for (const auto& [peer, have] : log.have) {
    Link* const other = says_it_has(have, position) ? tables_.links.live(peer) : nullptr;
    if (other != nullptr) return other;
  }
  return nullptr;
}

// The upstream says nothing at all: it may wait itself.  A neighbour has more, or may have what was
// promised.
void Copies::check_repair(Log& log, Fetch& f, Now now, Actions& out) {
  if (f.repair && f.gap_hold && !f.repair->answered) return ask_who_has(log, f, now.steady, out);
  if (!f.main || f.repair) return;
  Link* const upstream = tables_.links.find(f.main->session);
  const Begin next = f.begun ? Begin{Begin::At::Seq, f.taken + 1, {}} : f.main->from;
  if (upstream == nullptr || next.at != Begin::At::Seq) return;
  const std::uint64_t position = std::max<std::uint64_t>(next.seq, 1);
  Link* better = who_has(log, f, *f.main, position);
  const bool claims = better == nullptr && !f.main->answered && is_promised(f, position);
  if (claims) better = other_source(log, f, *f.main, {0, position, position, {}}, true);
  if (better == nullptr) {
    f.ahead.reset();
    return;
  }
  if (!f.ahead) f.ahead = now.steady;
  const Duration trips = two_trips(*upstream);
  // It may go on with other logs, and wait itself with this one.
  const TimePoint due =
      std::min(std::max(*f.ahead, upstream->last_data()) + std::max(options_.repair_after, trips),
               std::max(*f.ahead, f.main->heard) + kStands + trips);
  if (now.steady < due) return again(log, due);
  f.ahead.reset();
  ask_repair(log, f, *better, {.from = position, .claims = claims, .at = now.steady}, out);
}

// Somebody who was not asked may be asked now: another peer needs it too.
void Copies::check_waits(Log& log, Fetch& f, TimePoint now, Actions& out) {
  if (f.repair) return;
  for (const bool below : {false, true}) {
    const auto& waits = below ? f.low_waits : f.waits;
    if (!waits || (below ? !f.lack || f.backfill : !f.begun || f.main)) continue;
    if (below && f.lack->from.at != Begin::At::Seq) continue;
    const std::uint64_t next = below ? f.lack->from.seq : f.taken + 1;
    if (next > waits->to) continue;
    const Link* const told_by = tables_.links.find(waits->told_by);
    Request told;
    if (told_by != nullptr) told.peer = told_by->peer().node_id;
    Link* const other = other_source(log, f, told, {0, next, waits->to, {}}, true);
    if (other != nullptr)
      return ask_repair(log, f, *other, {.below = below, .to = waits->to, .at = now}, out);
  }
}

// The way to its root is through who asks for it, and may wait: another neighbour may have what was
// promised.
void Copies::claim_next(Log& log, Fetch& f, TimePoint now, Actions& out) {
  const Begin begin = f.begun ? Begin{Begin::At::Seq, f.taken + 1, {}} : f.need.lowest();
  const std::uint64_t next = std::max<std::uint64_t>(begin.seq, 1);
  if (begin.at != Begin::At::Seq || f.repair || !is_promised(f, next)) return;
  const std::string root = tables_.sources.root(log, next);
  if (root.empty() || root == options_.node_id) return;
  if (!f.no_way) f.no_way = Fetch::NoWay{now, kAskAgain};
  const TimePoint due = f.no_way->since + options_.repair_after;  // maps change in steps
  if (now < due) return again(log, due);
  Link* const holder = other_source(log, f, {}, {0, next, next, {}}, true);
  if (holder != nullptr)
    return ask_repair(log, f, *holder, {.from = next, .claims = true, .at = now}, out);
  const TimePoint anew = f.no_way->since + f.no_way->pause;
  if (now < anew) return again(log, anew);
  f.asked.clear();
  f.no_way = Fetch::NoWay{now, std::min(f.no_way->pause * 2, kAskAgainMost)};
  again(log, now + options_.repair_after);
}

// The same for what is filled in, where a neighbour may have what was promised.
void Copies::check_backfill(Log& log, Fetch& f, Now now, Actions& out) {
  if (!f.backfill || f.backfill->answered || f.repair || !f.lack) return;
  if (f.lack->from.at != Begin::At::Seq) return;
  const std::uint64_t next = f.lack->from.seq;
  if (!is_promised(f, f.lack->to)) return;
  Link* const holder = other_source(log, f, *f.backfill, {0, next, next, {}}, true);
  const Link* const upstream = tables_.links.find(f.backfill->session);
  if (holder == nullptr || upstream == nullptr) return;
  const TimePoint due = f.backfill->heard + std::max(options_.repair_after, two_trips(*upstream));
  if (now.steady < due) return again(log, due);
  stop(f, f.backfill, out);
  ask_repair(log, f, *holder, {.below = true, .from = next, .to = next, .at = now.steady}, out);
}

// Nobody who can be reached has what is needed next.
void Copies::wait_in_hole(Log& log, Fetch& f, const Missing& missing, Now now, Actions& out) {
  const bool below = missing.below;
  const std::uint64_t position = missing.from;
  auto& since = below ? f.low_hole : f.hole;
  const std::uint64_t end = below ? f.lack->to : tables_.sources.end(log);
  const bool origin_speaks = log.own;  // and the log is closed
  const std::string root = tables_.sources.root(log, position);
  if (position > end || (!root.empty() && root != options_.node_id)) {
    since.reset();  // nothing to wait for, or somebody who is on the way
    return;
  }
  if (!since) {
    since = now.steady;
    if (!origin_speaks) {
      out.push_back(Report{Report::What::Hole,
                           {},
                           "mesh: " + log.id.text() + " from " + std::to_string(position) +
                               ": nobody who can be reached has it"});
    }
  }
  const TimePoint due = *since + (origin_speaks ? options_.lost_after : options_.hold_away_max);
  if (now.steady < due) return again(log, due);
  const auto next = tables_.sources.next_announced(log, position);
  std::uint64_t to = next ? std::min(*next - 1, end) : end;
  for (const auto& [peer, have] : log.have) {
    if (have.first <= have.upto && have.upto >= position) to = std::min(to, have.first - 1);
  }
  since.reset();
  if (to >= position) record_lost(log, f, {below, position, to}, out);
  again(log, TimePoint());
}

void Copies::record_lost(Log& log, Fetch& f, const Missing& missing, Actions& out) {
  const bool below = missing.below;
  const std::uint64_t from = missing.from;
  const std::uint64_t to = *missing.to;
  CopyWrite lost{.log = log.id, .durability = log.durability, .backfill = below, .upto = to};
  // What its origin has no more, below what it has, it trimmed; if it ever had it.
  const bool trimmed = log.own && below && !f.anew;
  lost.gaps.push_back({0, from, to, trimmed ? kRetention : "lost"});
  out.push_back(Report{Report::What::Lost,
                       {},
                       "mesh: " + log.id.text() + " " + std::to_string(from) + " to " +
                           std::to_string(to) + ": no whole copy has it"});
  if (below) {
    lost.after = from - 1;
    if (!std::exchange(f.lack->stored, true)) {
      lost.begin_backfill =
          BackfillRecord{f.lack->start, f.lack->to, from - 1, f.lack->all, f.lack->filters};
    }
    f.lack->from = {Begin::At::Seq, to + 1, {}};
    if (to == f.lack->to) finish_below(f, lost, out);
    return write(log, f, std::move(lost), {}, out);
  }
  if (!f.begun) {
    f.begun = true;
    f.anew = log.own;
    f.taken = from - 1;
    f.cover.begin(f.need.whole, f.need.filters, f.taken, {});
    lost.whole_from = f.cover.whole_from();
    lost.filters = f.cover.filters();
  }
  lost.after = f.taken;
  f.taken = to;
  write(log, f, std::move(lost), {}, out);
}

void Copies::holes(std::vector<HoleStatus>& out) const {
  for (const auto& [index, f] : fetches_) {
    Log* const log = tables_.logs.at(index);
    if (log == nullptr) continue;
    if (f.waits && f.taken < f.waits->to) {
      out.push_back({log->id, f.taken + 1, f.waits->to,
                     "its origin has trimmed it; who keeps it cannot be reached"});
    }
    if (f.low_waits && f.lack && f.lack->from.seq <= f.low_waits->to) {
      out.push_back({log->id, f.lack->from.seq, f.low_waits->to,
                     "its origin has trimmed it; who keeps it cannot be reached"});
    }
    if (f.gap_hold && f.repair && !f.repair->answered) {
      const std::uint64_t from = f.repair->below ? f.repair->taken + 1 : f.taken + 1;
      const auto asked = f.asked.find(f.repair->peer);
      const std::uint64_t to = asked == f.asked.end() ? from : std::max(from, asked->second);
      out.push_back(
          {log->id, from, to, "its origin has trimmed it; " + f.repair->peer + " is asked for it"});
    }
    if (f.hole) {
      out.push_back(
          {log->id, f.taken + 1, tables_.sources.end(*log), "nobody who can be reached has it"});
    }
    if (f.low_hole && f.lack) {
      out.push_back({log->id, f.lack->from.seq, f.lack->to, "nobody who can be reached has it"});
    }
  }
}

}  // namespace marram::mesh
