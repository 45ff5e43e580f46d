#include <algorithm>
#include <limits>
#include <utility>

#include "core/delivery/consumer.h"

namespace marram {

void Consumer::settle(std::span<const Position> positions, Settle how, Duration delay,
                      TimePoint now) {
  Found found;
  for (const Position position : positions) {
    if (found.track == nullptr || found.track->log != position.log()) {
      if (found.track != nullptr) trim(*found.track);
      found = find(position.log());
      if (found.track == nullptr) continue;
    }
    Entry* entry = found.track->window.find(position.seq());
    if (entry == nullptr || entry->state == Window::State::Settled) continue;
    if (how == Settle::Ack) {
      ++settled_;
      make_settled(*found.lane, *found.track, *entry);
    } else {
      entry->failed = true;
      entry->at = now + delay;
      found.lane->failed = true;
    }
  }
  if (found.track != nullptr) trim(*found.track);
  go_back();
}

void Consumer::make_out(Entry& entry, TimePoint now) {
  const bool waits = member_->ack_wait > Duration(0);
  entry.state = Window::State::Out;
  entry.at = waits ? now + member_->ack_wait : TimePoint::max();
  if (entry.attempt < std::numeric_limits<std::uint16_t>::max()) ++entry.attempt;
  if (entry.attempt > 1) ++redelivered_;
  ++out_;
  out_bytes_ += entry.bytes;
}

void Consumer::make_waiting(Lane& lane, Entry& entry, TimePoint until) {
  Hold& hold = lane.waiting[entry.key];
  if (entry.state == Window::State::Out) {
    --out_;
    out_bytes_ -= entry.bytes;
    ++hold.count;
  }
  hold.until = hold.count == 1 ? until : std::max(hold.until, until);
  entry.state = Window::State::Waiting;
  entry.at = until;
}

// A waiting entry is settled, forgotten or handed out.
void Consumer::leave(Lane& lane, Entry& entry) {
  const auto hold = lane.waiting.find(entry.key);
  if (--hold->second.count == 0) lane.waiting.erase(hold);
}

void Consumer::make_settled(Lane& lane, Track& track, Entry& entry) {
  if (entry.state == Window::State::Waiting) leave(lane, entry);
  if (entry.state == Window::State::Out) {
    --out_;
    out_bytes_ -= entry.bytes;
  }
  entry.state = Window::State::Settled;
  entry.failed = false;
  track.touched = true;
  if (durable_) return;
  --places_;
  places_bytes_ -= entry.bytes;
  full_ = false;
}

// A durable entry's place, or any entry's for want of a member.
void Consumer::forget(const Entry& entry) {
  if (entry.state == Window::State::Out) {
    --out_;
    out_bytes_ -= entry.bytes;
  }
  if (entry.state == Window::State::Settled && !durable_) return;  // free already
  --places_;
  places_bytes_ -= entry.bytes;
  full_ = false;
}

// An ephemeral reader's settled entries serve nobody.
void Consumer::trim(Track& track) {
  if (durable_) return;
  track.window.drop_prefix(std::numeric_limits<std::uint64_t>::max(), [](const Entry&) {});
  if (track.window.size() > 2 * places_ + 1024) track.window.drop_settled();
}

void Consumer::expire(TimePoint now) {
  while (!hand_outs_.empty() && hand_outs_.front().at <= now) {
    const HandOut due = hand_outs_.front();
    hand_outs_.pop();
    const auto [lane, track] = find(due.log);
    if (track == nullptr) continue;
    Window& window = track->window;
    for (std::size_t n = window.lower_bound(due.first); n < window.size(); ++n) {
      Entry& entry = window.at(n);
      if (entry.seq > due.last) break;
      if (entry.state != Window::State::Out || entry.at > now) continue;
      entry.failed = true;
      entry.at = now;
      lane->failed = true;
    }
  }
  go_back();
}

void Consumer::go_back() {
  for (const auto& lane : lanes_) {
    if (std::exchange(lane->failed, false)) go_back(*lane);
  }
}

// What failed waits, and behind it, in order, all of its key.
void Consumer::go_back(Lane& lane) {
  if (lane.reading == Reading::Again) lane.stale = true;
  std::unordered_map<std::uint64_t, TimePoint> back;
  for (const auto& track : lane.tracks) {
    for (Entry& entry : track->window) {
      if (entry.state == Window::State::Settled) continue;
      const auto earlier = back.empty() ? back.end() : back.find(entry.key);
      if (earlier == back.end() && !entry.failed) continue;
      TimePoint until = TimePoint::min();
      if (entry.failed || entry.state == Window::State::Waiting) until = entry.at;
      if (earlier != back.end()) until = std::max(until, earlier->second);
      entry.failed = false;
      back[entry.key] = until;
      make_waiting(lane, entry, until);
    }
  }
}

}  // namespace marram
