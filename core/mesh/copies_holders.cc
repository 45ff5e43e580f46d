// Who holds for this node: what is acknowledged to them, when they are let go of.
#include <algorithm>

#include "core/mesh/copies.h"

namespace marram::mesh {

namespace {

using wire::Begin;

constexpr Duration kHaveComes = std::chrono::seconds(5);
constexpr std::size_t kStreamsMax = 4096;

// From where on what peers need is not in a copy that is whole from `whole`, or not asked for yet;
// 0: nothing is lacking.  What is kept for `holder` alone it need not hold for this node.
std::uint64_t lacks_kept(const Fetch& f, std::uint64_t whole, const std::string& holder = {}) {
  std::uint64_t from = 0;
  for (const auto& needed : {f.need.all_from, f.need.kept_from_but_for(holder)}) {
    const bool lacks = needed && (whole == 0 || whole > *needed);
    if (lacks) from = from == 0 ? *needed : std::min(from, *needed);
  }
  return from;
}

// What is lacking is not known while a write that failed is not out of the way, and what a backfill
// brings is not there before its record is.
bool is_unsure(const Fetch& f) {
  return std::any_of(f.writes.begin(), f.writes.end(),
                     [](const PendingWrite& write) { return write.forgotten || write.begins; });
}

}  // namespace

// The new upstream has brought all that anybody says there is: other holders need not hold any
// more.  On STOP it says so with HAVE; what it had only on its way to this node may be nowhere
// else.  While paths change, two nodes may ask each other: an upstream is one that stays.
void Copies::release_others(Log& log, Fetch& f, Now now, Actions& out) {
  if (!f.main || !f.main->answered || f.gap_hold || f.holders.empty() || !f.writes.empty()) {
    return;
  }
  if (f.waits && f.taken < f.waits->to) return;
  const TimePoint sure = f.steady_since + kHaveComes;
  if (now.steady < sure) return again(log, sure);
  // Somebody has what the upstream has not brought: it may wait itself.
  if (std::any_of(log.have.begin(), log.have.end(),
                  [&](const auto& item) { return item.second.upto > log.head(); })) {
    return;
  }
  const std::uint64_t lacked = lacks_kept(f, f.cover.whole_from());
  // Who needs that asks again in a while, and any of them may be fetching it.
  if (lacked == 0 || f.lack) f.lacks.reset();
  if (lacked != 0 && !f.lack && !f.lacks) f.lacks = now.steady;
  const bool needed = f.lacks && now.steady < *f.lacks + options_.release_after;
  if (needed) again(log, *f.lacks + options_.release_after);
  for (auto i = f.holders.begin(); i != f.holders.end();) {
    const std::string& peer = i->first;
    const bool asked = peer == f.main->peer || (f.backfill && f.backfill->peer == peer) ||
                       (f.repair && f.repair->peer == peer);
    Link* const link = tables_.links.live(peer);
    // What it has comes behind.
    const TimePoint told = link == nullptr ? TimePoint() : link->live_since() + kHaveComes;
    if (now.steady < told) again(log, told);
    const auto have = log.have.find(peer);
    const bool keeps = lacked != 0 && have != log.have.end() && says_it_has(have->second, lacked);
    if (asked || link == nullptr || now.steady < told || f.lack || keeps || needed) {
      ++i;
      continue;
    }
    out.push_back(SendFrame{link->id(), wire::Release{log.id.stream, {log.id}}});
    i = f.holders.erase(i);
  }
}

// All that there will ever be is here, on disk.
bool Copies::has_all(const Log& log, const Fetch& f) const {
  return f.begun && f.writes.empty() && !f.lack && !f.gap_hold && !f.waits && !f.low_waits &&
         tables_.sources.closed(log) && log.head() >= tables_.sources.end(log);
}

// Nobody wants more of it.  Peers that are here and for whom this node holds have asked others,
// or are about to ask it again: that is waited for, but not for ever.
void Copies::release_all(Log& log, Fetch& f, Now now, Actions& out) {
  if (!f.unwanted) f.unwanted = now.steady;
  const bool wanted = f.need.wanted && !log.forked;
  for (auto i = f.holders.begin(); i != f.holders.end();) {
    Link* const link = tables_.links.live(i->first);
    if (link == nullptr) {
      ++i;
      continue;
    }
    // What has just come back may have what nobody could ask for, and has not announced it yet.
    const TimePoint since = std::max(*f.unwanted, link->live_since());
    const bool kept = f.need.kept_but_for(i->first);
    const TimePoint due = kept     ? since + options_.release_after
                          : wanted ? since + kHaveComes
                                   : *f.unwanted;
    if (now.steady < due) {
      again(log, due);
      ++i;
      continue;
    }
    out.push_back(SendFrame{link->id(), wire::Release{log.id.stream, {log.id}}});
    i = f.holders.erase(i);
  }
}

void Copies::on_stream_held(SessionId session, const std::string& stream, bool held) {
  std::set<std::string>& streams = held_[session];
  if (!held) {
    streams.erase(stream);
    return;
  }
  if (streams.size() >= kStreamsMax || !streams.insert(stream).second) return;
  for (auto& [index, f] : fetches_) {
    if (!f.waits && !f.low_waits) continue;
    const Log* const log = tables_.logs.at(index);
    if (log == nullptr || log->id.stream != stream) continue;
    f.hear_news();
    again(*log, TimePoint());
  }
}

void Copies::on_held(Log& log, const std::string& peer, std::uint64_t acked, TimePoint now) {
  Fetch& f = fetch(log);
  f.steady_since = now;  // what the peer has comes behind
  if (acked > log.head()) f.once_acked = std::max(f.once_acked, acked);
  f.asked.erase(peer);
  f.hear_news();
  f.holders[peer] = {};  // it may not have heard
  acks_.insert(log.index);
  again(log, TimePoint());
}

// Nothing is said while something below, whose place is not known yet, is still needed.
std::optional<wire::AckEntry> Copies::ack(const Log& log, const std::string& holder) {
  const auto found = fetches_.find(log.index);
  if (found == fetches_.end() || !log.record || log.writes()) return {};
  const Fetch& f = found->second;
  if (is_unsure(f)) return {};
  std::uint64_t acked = log.record->head;
  if (log.backfill) acked = std::min(acked, log.backfill->upto);
  if (const std::uint64_t lacked = lacks_kept(f, log.record->whole_from, holder))
    acked = std::min(acked, lacked - 1);
  if (f.lack) {
    if (f.lack->from.at != Begin::At::Seq && !(f.backfill && f.backfill->known)) return {};
    // The record may be that of the last one, whose end is being written.
    if (f.lack->from.at == Begin::At::Seq && !(log.backfill && f.lack->stored)) {
      acked = std::min(acked, f.lack->from.seq - 1);
    }
    // What a reader needs below comes behind that.
    std::optional<Lack> below;
    for (const ReaderNeed& reader : f.need.readers) add_reader_lack(below, f, reader, false);
    if (below && below->from.at == Begin::At::Seq) acked = std::min(acked, below->from.seq - 1);
  }
  return wire::AckEntry{log.id, acked, log.whole() ? log.record->head : 0};
}

std::vector<Copies::AckTo> Copies::take_acks(const std::set<SessionId>& heard) {
  std::vector<AckTo> list;
  std::set<std::uint32_t> later;
  for (const std::uint32_t index : std::exchange(acks_, {})) {
    Log* const log = tables_.logs.at(index);
    const auto found = fetches_.find(index);
    if (log == nullptr || found == fetches_.end()) continue;
    for (auto& [peer, said] : found->second.holders) {
      const Link* const link = tables_.links.live(peer);
      if (link != nullptr && !heard.contains(link->id())) {
        later.insert(index);
        continue;
      }
      const auto entry = ack(*log, peer);
      if (!entry || said == Fetch::Said{entry->acked, entry->stored}) continue;
      found->second.said = said = {entry->acked, entry->stored};
      if (link != nullptr) list.push_back({peer, *entry});
    }
  }
  acks_.merge(later);
  return list;
}

}  // namespace marram::mesh
