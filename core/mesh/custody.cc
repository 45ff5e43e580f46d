#include "core/mesh/custody.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace marram::mesh {

namespace {

constexpr Duration kEndEvery = std::chrono::minutes(1);
constexpr Duration kSaveEvery = std::chrono::hours(24);
constexpr Duration kJump = std::chrono::minutes(1);
constexpr Duration kComeBack = std::chrono::hours(1);
// What was stored with an earlier time was stored by a clock that had not been set.
constexpr WallTime kContactLeast{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};

Duration distance(Now now) { return now.wall.time_since_epoch() - now.steady.time_since_epoch(); }

}  // namespace

void Custody::load(const std::vector<HoldRecord>& holds, Now now) {
  clock_ = distance(now);
  for (const HoldRecord& record : holds) {
    Hold& hold = holds_[{record.peer, record.stream}];
    hold.contact = record.contact;
    hold.loaded = true;
    hold.away = now.steady;
    hold.before = options_.clock_suspect ? Duration(0) : stored_age(hold, now);
    for (const auto& [no, acked] : record.acked) {
      if (const Log* const log = logs_.find_no(no)) hold.acked[log->index] = acked;
    }
  }
}

// A node that was off itself leaves its peers the time to come back.
Duration Custody::stored_age(const Hold& hold, Now now) const {
  if (hold.contact < kContactLeast || hold.contact > now.wall) return Duration(0);
  const Duration most = options_.away_max - std::min(kComeBack, options_.away_max / 4);
  return std::min(now.wall - hold.contact, most);
}

Status Custody::on_standing_want(const std::string& peer, const Log& log, std::uint64_t needed) {
  const Key key{peer, log.id.stream};
  const auto found = holds_.find(key);
  if (found == holds_.end() && is_full(peer)) {
    return fail(Errc::TooLarge,
                fmt::format("mesh: cannot hold {} for {}: {} streams are held for it, {} for all "
                            "(at most {} and {})",
                            log.id.stream, peer, streams_held(peer), holds_.size(),
                            options_.holds_per_peer_max, options_.holds_max));
  }
  Hold& hold = holds_[key];
  std::uint64_t acked = std::max<std::uint64_t>(needed, 1) - 1;
  const auto place = hold.acked.find(log.index);
  // Only an ACK raises it: the main want may be far above a backfill.
  const bool asked = hold.unasked.erase(log.index) == 0;
  hold.stopped.erase(log.index);
  hold.asked.insert(log.index);
  if (place != hold.acked.end() && asked) acked = std::min(acked, place->second);
  if (found != holds_.end() && place != hold.acked.end() && place->second == acked) return {};
  hold.acked[log.index] = acked;
  hold.changed = true;
  return {};
}

bool Custody::on_claim(const std::string& peer, const Log& log, std::uint64_t seq, TimePoint now) {
  const auto found = holds_.find({peer, log.id.stream});
  if (found == holds_.end()) return false;
  Hold& hold = found->second;
  const auto [place, is_new] = hold.acked.emplace(log.index, seq - 1);
  const bool claimed =
      hold.unasked.erase(log.index) != 0 || is_new || place->second == HoldRecord::kReleased;
  if (claimed) place->second = seq - 1;
  hold.changed = hold.changed || claimed;
  if (place->second >= seq) return false;
  const TimePoint until = now + options_.claimed;
  hold.claimed[log.index] = until;
  claimed_at_ = std::min(claimed_at_.value_or(until), until);
  return true;
}

void Custody::on_stop(const std::string& peer, const Log& log, TimePoint now) {
  const auto found = holds_.find({peer, log.id.stream});
  if (found == holds_.end() || !found->second.acked.contains(log.index)) return;
  const TimePoint until = now + options_.silent;
  found->second.stopped[log.index] = until;
  found->second.asked.erase(log.index);
  claimed_at_ = std::min(claimed_at_.value_or(until), until);
}

bool Custody::on_ack(const std::string& peer, const Log& log, std::uint64_t acked) {
  const auto found = holds_.find({peer, log.id.stream});
  if (found == holds_.end()) return false;
  const auto place = found->second.acked.find(log.index);
  if (place == found->second.acked.end() || acked <= place->second) return false;
  if (found->second.unasked.contains(log.index)) return false;  // it has asked another
  place->second = acked;
  found->second.moved.insert(log.index);
  return true;
}

void Custody::on_release(const std::string& peer, const wire::Release& release) {
  const auto found = holds_.find({peer, release.stream});
  if (found == holds_.end()) return;
  if (release.logs.empty()) {
    let_go(found);
    return;
  }
  for (const LogId& id : release.logs) {
    const Log* const log = logs_.find(id);
    if (log == nullptr || id.stream != release.stream) continue;
    found->second.unasked.erase(log->index);
    found->second.claimed.erase(log->index);
    found->second.stopped.erase(log->index);
    found->second.asked.erase(log->index);
    found->second.acked[log->index] = HoldRecord::kReleased;
    found->second.moved.insert(log->index);
    dirty_.insert(log->index);
  }
}

std::vector<wire::Held> Custody::on_peer_up(const std::string& peer, TimePoint now) {
  here_.insert(peer);
  arrivals_[peer] = {now, false};
  look_unasked_at(now + options_.silent);
  std::vector<wire::Held> frames;
  for (auto i = holds_.lower_bound({peer, {}}); i != holds_.end() && i->first.first == peer; ++i) {
    i->second.loaded = false;
    wire::Held held{i->first.second, {}};
    for (const auto& [index, acked] : i->second.acked) {
      dirty_.insert(index);
      const Log* const log = logs_.at(index);
      if (log == nullptr || acked == HoldRecord::kReleased) continue;
      if (held.logs.size() == wire::kLogsPerFrameMax) {
        frames.push_back(held);
        held.logs.clear();
      }
      held.logs.push_back({log->id, acked});
    }
    frames.push_back(std::move(held));
  }
  return frames;
}

void Custody::on_peer_down(const std::string& peer, Now now) {
  here_.erase(peer);
  quiet_.erase(peer);
  arrivals_.erase(peer);
  if (const auto known = expected_.find(peer); known != expected_.end())
    known->second.away = now.steady;
  for (auto i = holds_.lower_bound({peer, {}}); i != holds_.end() && i->first.first == peer; ++i) {
    Hold& hold = i->second;
    hold.loaded = false;
    hold.away = now.steady;
    hold.before = {};
    hold.changed = true;
    mark(hold);
    hold.unasked.clear();
    hold.claimed.clear();
    hold.stopped.clear();
    hold.asked.clear();
  }
}

void Custody::forget_peer(const std::string& peer) {
  expected_.erase(peer);
  here_.erase(peer);
  quiet_.erase(peer);
  arrivals_.erase(peer);
  for (auto i = holds_.lower_bound({peer, {}}); i != holds_.end() && i->first.first == peer;) {
    i = let_go(i);
  }
}

void Custody::on_new_log(const Log& log, TimePoint now) {
  hold_expected(log, now);
  for (auto& [key, hold] : holds_) {
    if (key.second != log.id.stream || log.id.origin == key.first) continue;
    if (!hold.acked.emplace(log.index, 0).second) continue;
    if (here_.contains(key.first)) {
      hold.unasked[log.index] = {now, false};
      look_unasked_at(now + options_.silent);
    }
    hold.changed = true;
    dirty_.insert(log.index);
  }
}

void Custody::on_not_saved(const std::string& peer, const std::string& stream, TimePoint now) {
  again_[{peer, stream}] = now + kLookAgain;
}

// Where one was not removed that this one follows, the store still has what it held.
void Custody::let_others_go(const std::string& stream, Hold& hold) {
  for (const auto& [index, log] : logs_.all()) {
    if (log->id.stream == stream && log->record) hold.acked.emplace(index, HoldRecord::kReleased);
  }
}

void Custody::save_again(TimePoint now) {
  std::erase_if(again_, [&](const auto& item) {
    if (now < item.second) return false;
    const auto hold = holds_.find(item.first);
    if (hold == holds_.end()) {
      ended_.insert(item.first);
    } else {
      hold->second.changed = true;
      let_others_go(hold->first.second, hold->second);
    }
    return true;
  });
}

void Custody::on_record(const Log& log) {
  // The store holds what is new for everybody whom it may concern; here more is known.
  for (auto& [key, hold] : holds_) {
    if (key.second != log.id.stream) continue;
    hold.changed = true;
    if (key.first != log.id.origin) hold.acked.emplace(log.index, HoldRecord::kReleased);
  }
}

void Custody::on_forgotten(const Log& log) {
  for (auto& [key, hold] : holds_) {
    hold.acked.erase(log.index);
    hold.unasked.erase(log.index);
    hold.claimed.erase(log.index);
    hold.stopped.erase(log.index);
    hold.asked.erase(log.index);
  }
}

void Custody::add_to(Need& need, const Log& log) const {
  for (const auto& [key, hold] : holds_) {
    if (key.second != log.id.stream) continue;
    const auto place = hold.acked.find(log.index);
    if (place == hold.acked.end() || place->second == HoldRecord::kReleased) continue;
    const std::uint64_t from = place->second + 1;
    const auto unasked = hold.unasked.find(log.index);
    const bool silent = unasked != hold.unasked.end() && unasked->second.silent;
    const auto arrived = arrivals_.find(key.first);
    const bool hears = arrived == arrivals_.end() || !arrived->second.silent;
    const bool here = here_.contains(key.first) && hears && !silent;
    if (here) {
      need.keep_for(key.first, from);
      const bool quiet = quiet_.contains(key.first) && !hold.asked.contains(log.index);
      const bool may_need = arrived != arrivals_.end() || hold.stopped.contains(log.index) || quiet;
      if (may_need) need.owe_from(from, key.first);
      if (!hold.claimed.contains(log.index)) continue;
      need.add_asker(key.first);
    } else {
      need.for_itself = true;
    }
    need.wanted = need.whole = need.standing = true;
    need.ask_from({wire::Begin::At::Seq, from, {}}, here ? key.first : std::string());
    need.owe_from(from, key.first);
  }
}

void Custody::end(const Key& key, std::set<std::uint32_t>& dirty, Actions& out) {
  for (const auto& [index, acked] : holds_[key].acked) dirty.insert(index);
  holds_.erase(key);
  out.push_back(RemoveHold{key.first, key.second});
}

bool Custody::is_released(const Hold& hold) {
  return std::all_of(hold.acked.begin(), hold.acked.end(),
                     [](const auto& log) { return log.second == HoldRecord::kReleased; });
}

Custody::Holds::iterator Custody::let_go(Holds::iterator hold) {
  mark(hold->second);
  ended_.insert(hold->first);
  return holds_.erase(hold);
}

void Custody::mark(const Hold& hold) {
  for (const auto& [index, acked] : hold.acked) dirty_.insert(index);
}

void Custody::mark_held(const std::string& peer) {
  for (auto i = holds_.lower_bound({peer, {}}); i != holds_.end() && i->first.first == peer; ++i) {
    mark(i->second);
  }
}

std::optional<TimePoint> Custody::wake_at() const {
  std::optional<TimePoint> at = unasked_at_;
  if (claimed_at_) at = std::min(at.value_or(*claimed_at_), *claimed_at_);
  if (!holds_.empty() && !here_.empty()) at = std::min(at.value_or(quiet_at_), quiet_at_);
  for (const auto& [key, due] : again_) at = std::min(at.value_or(due), due);
  return at;
}

// What was stored by a clock that was wrong is stored again.
void Custody::follow_clock(Now now) {
  const Duration clock = distance(now);
  const bool jumped = clock > clock_ + kJump || clock < clock_ - kJump;
  clock_ = clock;
  for (auto& [key, hold] : holds_) {
    if (!hold.loaded) {
      const bool old = !hold.saved || now.steady - *hold.saved >= kSaveEvery;
      hold.changed = hold.changed || jumped || (old && here_.contains(key.first));
    } else if (jumped) {
      // Of two clocks the one is right by which the peer has been away for less.
      const Duration age = std::max(stored_age(hold, now) - (now.steady - hold.away), Duration(0));
      hold.before = std::min(hold.before, age);
      hold.changed = hold.changed || hold.contact < kContactLeast;
    }
  }
}

void Custody::end_old(TimePoint now, std::set<std::uint32_t>& dirty, Actions& out) {
  if (now < expire_at_) return;
  expire_at_ = now + std::min(kEndEvery, options_.away_max);
  std::vector<Key> old;
  for (const auto& [key, hold] : holds_) {
    if (here_.contains(key.first)) continue;
    if (hold.before + (now - hold.away) >= options_.away_max) old.push_back(key);
  }
  for (const Key& key : old) end(key, dirty, out);
  std::erase_if(expected_, [&](const auto& item) {
    return !here_.contains(item.first) && now - item.second.away >= options_.away_max;
  });
}

void Custody::save(const Key& key, Hold& hold, Now now, Actions& out) {
  if (here_.contains(key.first)) {
    hold.contact = now.wall;
    hold.saved = now.steady;
  } else if (!hold.loaded || hold.contact < kContactLeast) {
    hold.contact = now.wall - hold.before - (now.steady - hold.away);
    hold.saved = now.steady;
  }
  HoldRecord record{key.first, key.second, hold.contact, {}};
  for (const auto& [index, acked] : hold.acked) {
    const Log* const log = logs_.at(index);
    if (log != nullptr && log->record) record.acked[log->record->no] = acked;
  }
  out.push_back(PutHold{std::move(record)});
}

std::set<std::uint32_t> Custody::flush(Now now, const Sight& sight, Actions& out) {
  save_again(now.steady);
  end_unasked(now.steady, sight);
  end_claimed(now.steady, sight);
  note_quiet(now.steady, sight);
  std::set<std::uint32_t> dirty = std::exchange(dirty_, {});
  for (const Key& key : std::exchange(ended_, {})) out.push_back(RemoveHold{key.first, key.second});
  follow_clock(now);
  end_old(now.steady, dirty, out);
  std::vector<HoldMove> moves;
  for (auto& [key, hold] : holds_) {
    if (hold.changed) {
      save(key, hold, now, out);
    } else {
      for (const std::uint32_t index : hold.moved) {
        const Log* const log = logs_.at(index);
        if (log == nullptr || !log->record) continue;
        moves.push_back({key.first, key.second, log->record->no, hold.acked[index]});
      }
    }
    hold.changed = false;
    hold.moved.clear();
  }
  if (!moves.empty()) out.push_back(MoveHolds{std::move(moves)});
  return dirty;
}

bool Custody::all_of_peers(const std::function<bool(const std::string& peer)>& is_so) const {
  return std::all_of(holds_.begin(), holds_.end(), [&](const auto& item) {
    return is_released(item.second) || is_so(item.first.first);
  });
}

std::set<std::string> Custody::owed(const std::function<std::uint64_t(const Log&)>& end) const {
  std::set<std::string> owed;
  std::unordered_map<std::uint32_t, std::uint64_t> ends;  // by log: many are away at a time
  const auto end_of = [&](std::uint32_t index) {
    const auto [place, is_new] = ends.try_emplace(index);
    const Log* const log = is_new ? logs_.at(index) : nullptr;
    if (log != nullptr) place->second = end(*log);
    return place->second;
  };
  for (const auto& [key, hold] : holds_) {
    if (here_.contains(key.first)) continue;
    for (const auto& [index, acked] : hold.acked) {
      if (acked == HoldRecord::kReleased || end_of(index) <= acked) continue;
      owed.insert(key.first);
      break;
    }
  }
  return owed;
}

void Custody::add_status(std::vector<HoldStatus>& out) const {
  for (const auto& [key, hold] : holds_) {
    HoldStatus status{key.first, key.second, here_.contains(key.first), 0, hold.contact};
    for (const auto& [index, acked] : hold.acked) {
      const Log* const log = logs_.at(index);
      if (log != nullptr && log->head() > acked) status.owed += log->head() - acked;
    }
    out.push_back(std::move(status));
  }
}

}  // namespace marram::mesh
