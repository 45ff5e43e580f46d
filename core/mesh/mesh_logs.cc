#include <fmt/format.h>

#include <algorithm>

#include "core/mesh/mesh_body.h"

namespace marram::mesh {

namespace {

constexpr Duration kSweepEvery = std::chrono::minutes(1);
constexpr Duration kPeersEvery = std::chrono::seconds(1);
constexpr std::size_t kPeersOfLeaf = 8;
constexpr Duration kPlanEvery = std::chrono::milliseconds(25);
constexpr Duration kRollEvery = std::chrono::seconds(1);
constexpr Duration kOwedEvery = std::chrono::seconds(1);
constexpr Duration kEpochEvery = std::chrono::minutes(1);

const StreamOptions* find_stream(const StreamTable& streams, const std::string& name) {
  for (const StreamOptions& stream : streams.streams()) {
    if (stream.name == name) return &stream;
  }
  return nullptr;
}

}  // namespace

Log* Mesh::Body::know(const LogId& id, Now now, bool stored, const wire::OpenLog* open) {
  bool is_new = false;
  Log* const log = logs.add(id, stored, is_new);
  logs_full = logs_full || log == nullptr;
  if (log == nullptr || !is_new) return log;
  log->own = id.origin == options.node_id;
  log->heard = now.steady;
  if (const StreamOptions* const stream = find_stream(options.streams, id.stream)) {
    log->topics = stream->topics;
    log->durability = stream->durability.value_or(Durability::Fsync);
    log->priority = stream->priority;
  }
  if (open != nullptr) log->topics = open->topics;
  custody.on_new_log(*log, now.steady);
  for (const auto& [reader, interest] : readers.all()) {
    if (!stored && interest.durable && follows(interest, *log)) log->followers.push_back(reader);
  }
  return log;
}

// An earlier run of the log's origin has been read, or was held for this node.
bool Mesh::Body::follows(const Interest& interest, const Log& log) const {
  return logs.any_of_origin(log.id, [&](const Log& other) {
    if (start_number(other.id.epoch) >= start_number(log.id.epoch)) return false;
    return (other.record && interest.cursors.contains(other.record->no)) || copies.is_held(other);
  });
}

void Mesh::Body::set_record(Log& log, const LogRecord& record) {
  const bool is_new = !log.record;
  logs.set_record(log, record);
  if (!is_new) return;
  custody.on_record(log);
  pins_changed = pins_lowered = true;  // wants came before it
}

bool Mesh::Body::carries(const std::string& stream) const {
  return std::any_of(options.carry.begin(), options.carry.end(),
                     [&](const std::string& name) { return name == "*" || name == stream; });
}

// A durable reader that had an earlier run of the log's origin when the log was heard of was there
// before the log, and is held for from its first event on.
void Mesh::Body::owe_newborn(Need& need, const Log& log) const {
  for (const ReaderNeed& reader : need.readers) {
    const Interest* const interest = readers.find(reader.interest);
    if (reader.has_read() || !interest->durable) continue;
    const auto& had = log.followers;
    const bool before = log.heard == TimePoint()  // it was stored when this node was started
                            ? follows(*interest, log)
                            : std::find(had.begin(), had.end(), reader.interest) != had.end();
    if (!before) continue;
    for (const FilterStart& filter : reader.filters) {
      need.owe_from(filter.from.at == wire::Begin::At::Seq ? filter.from.seq : 1);
    }
  }
}

Need Mesh::Body::need_of(const Log& log) const {
  Need need;
  readers.add_to(need, log);
  owe_newborn(need, log);
  if (carries(log.id.stream)) {
    need.wanted = need.whole = need.standing = need.for_itself = true;
    // What retention here has taken was carried.
    const std::uint64_t from = log.record && log.record->trimmed ? log.record->first : 1;
    need.ask_from({.seq = from});
    need.owe_from(from);
  }
  custody.add_to(need, log);
  serving.add_to(need, log);
  return need;
}

void Mesh::Body::plan(Log& log, Now now, Actions& out) {
  const bool was_closed = log.closed;
  log.closed = sources.closed(log);
  if (log.closed != was_closed) own_changed = true;
  const bool waited = log.waits;
  copies.plan(log, need_of(log), now, out);
  if (waited && !log.waits) serving.on_log(log);
  note_older(log, out);
}

// A backup was restored, or the last writes were lost with the power.
void Mesh::Body::note_older(const Log& log, Actions& out) {
  if (told_older || !log.own || log.writes() || log.durability == Durability::Memory) return;
  // What the store has forgotten since is no news.
  if (!log.record && start_number(log.id.epoch) <= runs_stored) return;
  const std::uint64_t end = sources.end(log);
  if (end <= log.head()) return;
  told_older = true;
  out.push_back(Report{
      Report::What::Older,
      {},
      fmt::format("mesh: others have {} up to {}, this node's database up to {}: it is older than "
                  "it was, a backup perhaps; what others have is fetched where it is wanted, what "
                  "nobody has is lost",
                  log.id.text(), end, log.head())});
}

void Mesh::Body::mark(const Log& log, TimePoint at) {
  const auto [place, is_new] = marked.emplace(log.index, at);
  if (!is_new) place->second = std::min(place->second, at);
}

void Mesh::Body::mark_all(TimePoint at) {
  for (const auto& [index, log] : logs.all()) mark(*log, at);
}

void Mesh::Body::call_roll(Now now) {
  if (now.steady < roll_at) return;
  roll_version = map.version();
  roll_at = now.steady + kRollEvery;
  const auto before = roll.complete_since();
  const bool missed = roll.misses();
  const bool held_for_here =
      custody.all_of_peers([&](const std::string& peer) { return map.reachable(peer); });
  if (roll.look(map, held_for_here, now)) {
    facts.nodes = roll.days();
    facts_changed = true;
  }
  if (roll.misses() != missed) own_news();
  if (roll.complete_since() == before) return;
  copies.set_all_here(roll.complete_since());
  mark_all(now.steady);
}

void Mesh::Body::plan_all(Now now, Actions& out) {
  // Of a crowd of records all logs hear at once.
  if (planned_version != map.version() && now.steady >= plan_at) {
    planned_version = map.version();
    plan_at = now.steady + kPlanEvery;
    mark_all(now.steady);
  }
  for (const std::uint32_t index : copies.take_dirty(now.steady)) {
    if (const Log* const log = logs.at(index)) mark(*log, now.steady);
  }
  std::vector<std::uint32_t> due;
  for (auto i = marked.begin(); i != marked.end();) {
    if (i->second > now.steady) {
      ++i;
      continue;
    }
    due.push_back(i->first);
    i = marked.erase(i);
  }
  for (const std::uint32_t index : due) {
    if (Log* const log = logs.at(index)) plan(*log, now, out);
  }
}

// Whether something durable here, or behind here, may want some log of a stream.
bool Mesh::Body::wants_stream(const std::string& stream, const std::string& but_for) const {
  if (carries(stream)) return true;
  const StreamOptions* const known = find_stream(options.streams, stream);
  if (readers.any_durable(known == nullptr ? std::vector<std::string>() : known->topics)) {
    return true;
  }
  return logs.any_of_stream(stream,
                            [&](const Log& log) { return need_of(log).kept_but_for(but_for); });
}

// Its head, first, wholeness or backfill: whoever is served or tells of it looks again.
void Mesh::Body::changed(Log& log, Now now) {
  serving.on_log(log);
  have_changed.insert(log.index);
  if (!log.writes()) mark(log, now.steady);
  if (log.closed || !sources.origin_reachable(log)) own_changed = true;
}

void Mesh::Body::take_forks(Actions& out) {
  for (const auto& [session, index] : serving.take_forks()) {
    Log* const log = logs.at(index);
    const Link* const link = links.find(session);
    if (log == nullptr || link == nullptr) continue;
    out.push_back(Report{Report::What::Forked, link->peer().node_id,
                         "mesh: " + log->id.text() + " has two events at one position"});
    if (log->writes()) start_epoch_again(last_tick, out);
    log->forked = !log->own;
  }
}

// All that this run has written is published again: at once three times, then once a minute, so
// that a liar does not make it go on for ever.
void Mesh::Body::start_epoch_again(TimePoint now, Actions& out) {
  epoch_at = std::max(epoch_at, now - 2 * kEpochEvery);
  epoch_due = epoch_at > now;
  if (epoch_due) return;
  epoch_at += kEpochEvery;
  out.push_back(StartEpochAgain{});
}

// A closed log that no copy holds events of is forgotten, when it has been so for long.
void Mesh::Body::sweep(Now now, Actions& out) {
  if (now.steady < sweep_at) return;
  sweep_at = now.steady + std::min(kSweepEvery, options.hold_away_max);
  map.on_tick(now.steady);
  roll_version = 0;
  for (const auto& [id, held] : map.all()) {
    if (map.reachable(id)) membership.on_alive(id, now.steady);
  }
  std::vector<std::uint32_t> gone;
  for (const auto& [index, log] : logs.all()) {
    const bool has_events = log->record && log->record->first <= log->record->head;
    if (!sources.closed(*log) || has_events || log->backfill || sources.announced_events(*log)) {
      empty_since.erase(index);
      continue;
    }
    const auto [since, is_new] = empty_since.emplace(index, now.steady);
    if (now.steady - since->second < options.hold_away_max) continue;
    if (log->record) {
      out.push_back(ForgetLog{log->record->no});
    } else {
      gone.push_back(index);
    }
  }
  for (const std::uint32_t index : gone) {
    copies.forget(index);
    custody.on_forgotten(*logs.at(index));
    logs.forget(index);
    empty_since.erase(index);
  }
}

// Who was held for here and came back elsewhere waits for what only this node has.
void Mesh::Body::dial_owed(Now now, Actions& out) {
  if (now.steady < owed_at) return;
  owed_at = now.steady + kOwedEvery;
  // Of one that is not in the map nothing is known: a leaf elsewhere is not in it either.
  std::set<std::string> owed;
  std::set<std::string> lost;
  const auto end = [&](const Log& log) { return sources.known_end(log); };
  for (const std::string& peer : custody.owed(end))
    (map.reachable(peer) ? owed : lost).insert(peer);
  membership.set_owed(std::move(owed), std::move(lost));
  const wire::Peers asks{membership.take_asks(now.steady)};
  if (asks.peers.empty()) return;
  for (const auto& [peer, id] : links.peers()) out.push_back(SendFrame{id, asks});
}

// Of peers that were not known goes on what is new: all of it to those who may have to dial them,
// and to one that has this link alone as much as it needs to find another way.
void Mesh::Body::tell_peers(Now now, Actions& out) {
  if (!membership.has_news() || now.steady < peers_at) return;
  peers_at = now.steady + kPeersEvery;
  const std::vector<wire::PeerRecord> news = membership.take_news(now.steady);
  for (const auto& [peer, id] : links.peers()) {
    const bool leaf = !takes_part(peer);
    std::size_t& told_before = peers_told[id];
    wire::Peers told;
    for (const wire::PeerRecord& one : news) {
      if (one.node_id == peer || (leaf && told_before >= kPeersOfLeaf)) continue;
      ++told_before;
      told.peers.push_back(one);
      if (told.peers.size() < wire::kPeersPerFrameMax) continue;
      out.push_back(SendFrame{id, std::exchange(told, {})});
    }
    if (!told.peers.empty()) out.push_back(SendFrame{id, std::move(told)});
  }
}

void Mesh::Body::tick(Now now, Actions& out) {
  last_tick = now.steady;
  tick_links(now, out);
  check_probes(now, out);
  dial_owed(now, out);
  tell_peers(now, out);
  tell_expectation(now, out);
  end_doubts(now, out);
  membership.on_tick(now.steady, out);
  tick_beacons(now, out);
  sweep(now, out);
  if (epoch_due && now.steady >= epoch_at) start_epoch_again(now.steady, out);
  if (std::exchange(logs_full, false)) {
    out.push_back(Report{
        Report::What::Refused,
        {},
        fmt::format("mesh: {} logs are known, the limit: another is passed over", logs.size())});
  }
  if (roll_version != map.version()) call_roll(now);
  // Twice: what a log's plan shows may change what this node tells of it, and back.
  for (int round = 0; round < 2; ++round) {
    plan_all(now, out);
    publish(now, out);
  }
  const auto heard = [&](const std::string& peer) {
    const Link* const link = links.live(peer);
    return link == nullptr ? TimePoint() : link->last_heard();
  };
  const auto can_be_asked_for = [&](const Log& log) { return !sources.root(log, 1).empty(); };
  const std::set<std::uint32_t> dirty = custody.flush(now, {heard, can_be_asked_for}, out);
  for (const std::uint32_t index : dirty) {
    if (const Log* const log = logs.at(index)) mark(*log, now.steady);
  }
  if (!dirty.empty()) plan_all(now, out);
  flood(out);
  set_pins(now, out);
  serving.pump(now.steady, out);
  pins_changed = serving.take_pins_moved() || pins_changed;
  take_forks(out);
  reassure(now, out);
  send_acks(out);
  tell_have(now, out);
  if (facts_changed) {
    out.push_back(SaveFacts{facts});
    facts_changed = false;
  }
}

std::optional<TimePoint> Mesh::Body::wake_at() const {
  std::optional<TimePoint> at = sweep_at;
  const auto by = [&](std::optional<TimePoint> time) {
    if (time && (!at || *time < *at)) at = time;
  };
  for (const auto& [id, link] : links.all()) by(link->wake_at());
  for (const auto& [id, probe] : probes) by(probe.since + std::chrono::seconds(2));
  by(membership.wake_at());
  by(beacons.wake_at());
  if (membership.has_news()) by(peers_at);
  by(copies.wake_at());
  by(serving.wake_at());
  by(custody.wake_at());
  for (const auto& [index, time] : marked) by(time);
  if (planned_version != map.version()) by(plan_at);
  if (roll_version != map.version()) by(roll_at);
  if (own_changed && !links.peers().empty()) {
    by(std::max(published_at + std::chrono::seconds(1), own_at));
  }
  if (!have_changed.empty()) by(have_at);
  if (expects_changed) by(expects_at);
  if (!unwanted.empty()) by(unwanted_at);
  by(reassure_at);
  if (pins_changed) by(pins_at);
  if (epoch_due) by(epoch_at);
  return at;
}

}  // namespace marram::mesh
