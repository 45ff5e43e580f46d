// What peers that are here may still need, though they do not ask for it.
#include <algorithm>

#include "core/mesh/custody.h"

namespace marram::mesh {

// One that has nobody to ask, and would ask this node again, is waited for; so is one that has said
// nothing since.
void Custody::end_claimed(TimePoint now, const Sight& sight) {
  if (!claimed_at_ || now < *claimed_at_) return;
  claimed_at_.reset();
  for (auto& [key, hold] : holds_) {
    const TimePoint heard = sight.heard(key.first);
    const auto is_over = [&](const auto& item, bool sure) {
      if (now >= item.second && sure) {
        dirty_.insert(item.first);
        return true;
      }
      const TimePoint again = now < item.second ? item.second : now + kLookAgain;
      claimed_at_ = std::min(claimed_at_.value_or(again), again);
      return false;
    };
    std::erase_if(hold.claimed, [&](const auto& item) { return is_over(item, true); });
    for (auto& [index, until] : hold.stopped) {
      const Log* const log = logs_.at(index);
      if (log != nullptr && !sight.can_be_asked_for(*log))
        until = std::max(until, now + options_.silent);
    }
    std::erase_if(hold.stopped,
                  [&](const auto& item) { return is_over(item, heard >= item.second); });
  }
}

std::optional<TimePoint> Custody::look_at(Unasked& unasked, TimePoint heard, TimePoint now,
                                          std::uint32_t index) {
  const TimePoint ends = unasked.since + options_.unheard;
  if (now >= ends && heard >= ends) return {};
  const TimePoint silent = unasked.since + options_.silent;
  if (!unasked.silent && heard < unasked.since) {
    if (now < silent) return silent;
    unasked.silent = true;
    dirty_.insert(index);
  }
  // A peer that says nothing is looked at again in a while.
  return std::max(ends, now + kLookAgain);
}

// It could not say what it needs of logs that nobody can be asked for.
void Custody::owe_unreachable(const std::string& peer, TimePoint now, const Sight& sight) {
  for (auto i = holds_.lower_bound({peer, {}}); i != holds_.end() && i->first.first == peer; ++i) {
    for (const auto& [index, acked] : i->second.acked) {
      const Log* const log = logs_.at(index);
      const bool open = acked != HoldRecord::kReleased && !i->second.asked.contains(index);
      if (log == nullptr || !open || sight.can_be_asked_for(*log)) continue;
      on_stop(peer, *log, now);
    }
  }
}

// It may be gone without a word, and would have asked for what it needs.
void Custody::note_quiet(TimePoint now, const Sight& sight) {
  if (now < quiet_at_) return;
  quiet_at_ = now + options_.silent;
  const std::string* last = nullptr;
  for (const auto& [key, hold] : holds_) {
    const std::string& peer = key.first;
    if ((last != nullptr && *last == peer) || !here_.contains(peer)) continue;
    last = &peer;
    const TimePoint due = sight.heard(peer) + options_.silent;
    const bool quiet = now >= due;
    const bool changed = quiet ? quiet_.insert(peer).second : quiet_.erase(peer) != 0;
    if (changed) mark_held(peer);
    quiet_at_ = std::min(quiet_at_, quiet ? now + kLookAgain : due);
  }
}

// The path may have been cut, without a word, while the session came up.  Whoever is there has said
// in a while what it needs; until then it is owed what it was owed while it was away.
std::optional<TimePoint> Custody::end_arrivals(TimePoint now, const Sight& sight) {
  std::optional<TimePoint> next;
  for (auto i = arrivals_.begin(); i != arrivals_.end();) {
    auto& [peer, arrival] = *i;
    const TimePoint ends = arrival.since + options_.silent;
    const bool heard = sight.heard(peer) > arrival.since;
    const bool silent = !heard && now >= ends;
    const bool over = heard && now >= ends;
    if (arrival.silent != silent || over) mark_held(peer);
    if (over) owe_unreachable(peer, now, sight);
    arrival.silent = silent;
    const TimePoint due = silent ? now + kLookAgain : ends;
    if (!over) next = std::min(next.value_or(due), due);
    i = over ? arrivals_.erase(i) : std::next(i);
  }
  return next;
}

// A peer that is here and has heard of a log asks for it, or asks another, once there is somebody
// to be asked.  One that says nothing is as good as away before its link is over: who has the log
// may be gone by then.
void Custody::end_unasked(TimePoint now, const Sight& sight) {
  if (!unasked_at_ || now < *unasked_at_) return;
  std::optional<TimePoint> next = end_arrivals(now, sight);
  for (auto& [key, hold] : holds_) {
    for (auto i = hold.unasked.begin(); i != hold.unasked.end();) {
      const Log* const log = logs_.at(i->first);
      if (log != nullptr && !sight.can_be_asked_for(*log)) {
        i->second.since = now;
        next = std::min(next.value_or(now + kLookAgain), now + kLookAgain);
        ++i;
        continue;
      }
      if (const auto due = look_at(i->second, sight.heard(key.first), now, i->first)) {
        next = std::min(next.value_or(*due), *due);
        ++i;
        continue;
      }
      hold.acked[i->first] = HoldRecord::kReleased;
      hold.changed = true;
      dirty_.insert(i->first);
      i = hold.unasked.erase(i);
    }
  }
  unasked_at_ = next;
}

}  // namespace marram::mesh
