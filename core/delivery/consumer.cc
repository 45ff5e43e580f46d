#include "core/delivery/consumer.h"

#include <algorithm>
#include <utility>

namespace marram {

namespace {

constexpr std::size_t kReadEventsMax = 512;
constexpr std::size_t kReadBytesMax = 512 << 10;
constexpr Duration kOlderWait = std::chrono::seconds(30);

}  // namespace

Consumer::Consumer(Options options, const LogTable& logs)
    : logs_(logs),
      durable_(options.durable),
      start_(options.start),
      filters_(std::move(options.filters)) {
  for (const auto& [no, log] : logs_.all()) {
    if (log.copy && !log.own) {
      add_track(log, 0).begun = false;
      continue;
    }
    const std::uint64_t position = begin_of(log);
    if (durable_) begins_[no] = position;
    if (!log.open && position >= log.head) continue;
    add_track(log, position).finding = start_.at == Start::At::Time;
  }
  for (const auto& lane : lanes_) update_live(*lane);
}

Consumer::Consumer(Options options, const LogTable& logs, const Cursors& stored)
    : logs_(logs),
      durable_(options.durable),
      start_(options.start),
      filters_(std::move(options.filters)) {
  for (const auto& [no, log] : logs_.all()) {
    const auto found = stored.find(no);
    if (found == stored.end()) {
      on_log_opened(log);  // it opened after the consumer was made
    } else if (log.copy || log.open || found->second < log.head) {
      add_track(log, found->second);
    }
  }
  for (const auto& lane : lanes_) update_live(*lane);
}

// Where a consumer that is made now begins in a log that is there already.
std::uint64_t Consumer::begin_of(const KnownLog& log) const {
  const std::uint64_t all = log.first - 1;
  switch (start_.at) {
    case Start::At::New:
      return log.head;
    case Start::At::Seq:
      return std::max(start_.seq, log.first) - 1;
    case Start::At::Earliest:
    case Start::At::Time:
      break;
  }
  return all;
}

void Consumer::on_log_opened(const KnownLog& log) {
  if (log.copy && !log.own) {
    add_track(log, 0).begun = false;
    return;
  }
  const bool from_seq = start_.at == Start::At::Seq && start_.seq > 0;
  const std::uint64_t position = from_seq ? start_.seq - 1 : 0;
  if (!log.open && position >= log.head) return;
  Track& track = add_track(log, position);
  update_live(*find(track.log).lane);
}

void Consumer::on_readable(std::uint32_t log, std::uint64_t after, std::uint64_t upto) {
  auto [lane, track] = find(log);
  if (track == nullptr) {
    const KnownLog* const known = logs_.find(log);
    if (known == nullptr || upto == kNoLimit) return;
    track = &add_track(*known, known->head);
    lane = find(log).lane;
  }
  if (track->live && upto != kNoLimit) {
    track->live = false;
    track->position = std::max(track->position, head(*track));
    track->next = {};
  }
  track->limit = upto;
  if (!std::exchange(track->begun, true)) {
    track->position = after;
    track->touched = true;
  }
  update_live(*lane);
}

void Consumer::on_grows_again(const KnownLog& log, std::uint64_t from) {
  if (find(log.no).track == nullptr) add_track(log, from).limit = kNoLimit;
  update_live(*find(log.no).lane);
}

bool Consumer::on_log_forgotten(std::uint32_t log) {
  const auto [lane, track] = find(log);
  if (track == nullptr) return true;
  if (lane->reading != Reading::No || (track->finding && track->asked)) return false;
  for (Entry& entry : track->window) {
    if (entry.state == Window::State::Waiting) leave(*lane, entry);
    forget(entry);
  }
  std::erase_if(lane->tracks, [&](const auto& known) { return known->log == log; });
  return true;
}

std::optional<std::uint64_t> Consumer::cursor_of(std::uint32_t log) {
  Track* const track = find(log).track;
  if (track != nullptr && (!track->begun || track->finding)) return {};
  if (track != nullptr) return cursor(*track);
  const KnownLog* const known = logs_.find(log);
  return known == nullptr ? std::nullopt : std::optional(known->head);
}

Consumer::Track& Consumer::add_track(const KnownLog& log, std::uint64_t position) {
  auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                           [&](const auto& known) { return known->no == log.lane; });
  if (lane == lanes_.end()) {
    lane = lanes_.insert(lane, std::make_unique<Lane>());
    (*lane)->no = log.lane;
  }
  auto& tracks = (*lane)->tracks;
  const auto place = std::find_if(tracks.begin(), tracks.end(), [&](const auto& track) {
    return std::pair(track->order, track->log) > std::pair(log.order, log.no);
  });
  auto track = std::make_unique<Track>();
  track->log = log.no;
  track->order = log.order;
  track->position = position;
  track->saved = position;
  if (log.copy) track->limit = 0;
  return **tracks.insert(place, std::move(track));
}

Consumer::Found Consumer::find(std::uint32_t log) {
  for (const auto& lane : lanes_) {
    for (auto track = lane->tracks.rbegin(); track != lane->tracks.rend(); ++track) {
      if ((*track)->log == log) return {lane.get(), track->get()};
    }
  }
  return {};
}

// As far as it may be read.
std::uint64_t Consumer::head(const Track& track) const {
  return std::min(logs_.find(track.log)->head, track.limit);
}

bool Consumer::grows(const Track& track) const { return logs_.find(track.log)->open; }

bool Consumer::seen_all(const Track& track) const {
  return !track.finding && (track.live || track.position >= head(track));
}

// What it knew may have been trimmed since.
bool Consumer::knows_next(const Track& track) const {
  return track.next.recorded != WallTime() && track.next.seq >= logs_.find(track.log)->first;
}

// It is stored, and not settled.
bool Consumer::is_owed(const Track& track, const Entry& entry) const {
  return entry.state != Window::State::Settled && entry.seq >= logs_.find(track.log)->first;
}

std::uint64_t Consumer::cursor(Track& track) const {
  if (const Entry* entry = track.window.first_unsettled()) return entry->seq - 1;
  return track.live ? std::max(track.position, head(track)) : track.position;
}

// The log at the head of its lane goes live once the older ones have been seen.
void Consumer::update_live(Lane& lane) {
  for (const auto& track : lane.tracks) {
    if (!seen_all(*track)) return;
    if (track->live && !grows(*track)) track->position = std::max(track->position, head(*track));
    track->live = track->limit == kNoLimit && grows(*track);
    if (holds_newer(lane, *track)) return;
  }
}

// There may be more of a copy that comes before the logs behind it.
bool Consumer::holds_newer(const Lane& lane, const Track& track) const {
  return !lane.gave_up && (!track.begun || track.limit != kNoLimit);
}

void Consumer::wait_for_older(Lane& lane, TimePoint now) {
  const std::size_t older = lane.tracks.empty() ? 0 : lane.tracks.size() - 1;
  bool waits = false;
  for (std::size_t i = 0; i < older && !waits; ++i) {
    waits = !lane.tracks[i]->begun || lane.tracks[i]->limit != kNoLimit;
  }
  if (!waits) {
    lane.wait_until.reset();
    lane.gave_up = false;
    return;
  }
  if (!lane.wait_until) lane.wait_until = now + kOlderWait;
  lane.gave_up = now >= *lane.wait_until;
}

void Consumer::attach(Member member) {
  member_ = member;
  full_ = false;
}

void Consumer::detach() {
  for (const auto& lane : lanes_) {
    lane->stale = lane->reading != Reading::No;
    bool keep = false;  // a newer log still has something to hand out again
    for (auto track = lane->tracks.rbegin(); track != lane->tracks.rend(); ++track) {
      keep = put_back(*lane, **track, keep);
    }
    bool behind = false;
    for (const auto& track : lane->tracks) {
      if (behind && track->live) {
        track->live = false;
        track->position = std::max(track->position, head(*track));
      }
      behind = behind || !seen_all(*track);
    }
  }
  hand_outs_.clear();
  member_.reset();
  wake_at_.reset();
}

// What has no settled event behind it is forgotten, unless `keep`, and read again;
// the rest waits for the next member.  True when something waits.
bool Consumer::put_back(Lane& lane, Track& track, bool keep) {
  for (const Entry& entry : track.window) {
    if (entry.attempt > 0) track.handed = std::max(track.handed, entry.seq);
  }
  if (!keep) {
    track.window.drop_unsettled_end([&](Entry& entry) {
      if (entry.state == Window::State::Waiting) leave(lane, entry);
      forget(entry);
      track.live = false;
      track.position = entry.seq - 1;
      track.next = {entry.seq, entry.recorded};
    });
  }
  for (Entry& entry : track.window) {
    if (entry.state == Window::State::Settled) continue;
    keep = true;
    make_waiting(lane, entry, TimePoint::min());
  }
  return keep;
}

void Consumer::set_filters(std::vector<FilterRecord> filters) {
  filters_ = FilterSet(std::move(filters));
  for (const auto& lane : lanes_) lane->stale = lane->reading != Reading::No;
}

void Consumer::on_missed(std::uint32_t log, std::uint64_t upto) {
  const auto [lane, track] = find(log);
  if (track == nullptr || !track->live) return;
  track->live = false;
  track->position = std::max(track->position, upto);
  track->next = {};
}

void Consumer::on_read_failed(std::uint32_t log, TimePoint retry_at) {
  const auto [lane, track] = find(log);
  if (lane == nullptr) return;
  lane->reading = Reading::No;
  lane->stale = false;
  track->retry_at = retry_at;
}

void Consumer::on_time_found(std::uint32_t log, std::uint64_t seq) {
  const auto [lane, track] = find(log);
  if (track == nullptr || !track->finding) return;
  track->finding = false;
  if (seq > 0) track->position = std::max(track->position, seq - 1);
  update_live(*lane);
}

void Consumer::on_tick(const Now& now, Actions& out) {
  if (member_) expire(now.steady);
  ask_times(out);
  for (const auto& lane : lanes_) {
    for (const auto& track : lane->tracks) {
      if (std::exchange(track->touched, false)) save(*track, out);
    }
    drop_finished(*lane, out);
    if (lane->tracks.size() > 1 || lane->wait_until) wait_for_older(*lane, now.steady);
    if (member_) advance(*lane, now.steady, out);
  }
  plan(now.steady);
}

void Consumer::advance(Lane& lane, TimePoint now, Actions& out) {
  if (lane.reading != Reading::No) return;
  update_live(lane);
  if (ask_again(lane, now, out)) return;
  for (const auto& track : lane.tracks) {
    if (seen_all(*track)) {
      if (holds_newer(lane, *track)) return;
      continue;
    }
    if (!track->finding) ask_next(lane, *track, now, out);
    return;
  }
}

// True when something waits to be handed out again: nothing new overtakes it.
bool Consumer::ask_again(Lane& lane, TimePoint now, Actions& out) {
  if (lane.waiting.empty()) return false;
  for (const auto& track : lane.tracks) {
    for (const Entry& entry : track->window) {
      if (entry.state != Window::State::Waiting || entry.at > now) continue;
      if (!room_again_for(entry.bytes) || track->retry_at > now) return true;
      const std::size_t events = std::min(kReadEventsMax, member_->in_flight_max - out_);
      lane.reading = Reading::Again;
      lane.asked_at = now;
      out.push_back(ReadLog{track->log, entry.seq - 1, events, kReadBytesMax});
      return true;
    }
  }
  return false;
}

void Consumer::ask_next(Lane& lane, Track& track, TimePoint now, Actions& out) {
  if (track.retry_at > now || !worth_asking()) return;
  const std::size_t events = member_->in_flight_max - places_;
  const std::size_t bytes =
      member_->in_flight_bytes_max - std::min(places_bytes_, member_->in_flight_bytes_max);
  lane.reading = Reading::Next;
  out.push_back(ReadLog{track.log, track.position, std::min(kReadEventsMax, events),
                        std::clamp<std::size_t>(bytes, 1, kReadBytesMax)});
}

void Consumer::look_ahead(Actions& out) {
  if (member_) return;
  for (const auto& lane : lanes_) {
    if (lane->reading != Reading::No) continue;
    update_live(*lane);
    for (const auto& track : lane->tracks) {
      if (seen_all(*track)) {
        if (holds_newer(*lane, *track)) break;
        continue;
      }
      if (track->finding || knows_next(*track)) break;
      lane->reading = Reading::Next;
      out.push_back(ReadLog{track->log, track->position, 1, 1});
      break;
    }
  }
}

void Consumer::ask_times(Actions& out) {
  if (start_.at != Start::At::Time) return;
  for (const auto& lane : lanes_) {
    for (const auto& track : lane->tracks) {
      if (!track->finding || std::exchange(track->asked, true)) continue;
      out.push_back(FindTime{track->log, start_.time});
    }
  }
}

void Consumer::drop_finished(Lane& lane, Actions& out) {
  if (lane.reading != Reading::No) return;
  std::erase_if(lane.tracks, [&](const auto& track) {
    if (grows(*track) || track->limit != kNoLimit) return false;
    if (!seen_all(*track) || !track->window.empty()) return false;
    save(*track, out);
    return true;
  });
}

void Consumer::save(Track& track, Actions& out) {
  if (!durable_) return;
  const std::uint64_t upto = cursor(track);
  if (upto <= track.saved) return;
  track.saved = upto;
  out.push_back(SaveCursor{track.log, upto});
}

void Consumer::save_idle(Actions& out) {
  for (const auto& lane : lanes_) {
    for (const auto& track : lane->tracks) {
      if (track->window.first_unsettled() == nullptr) save(*track, out);
    }
  }
}

void Consumer::on_saved(std::uint32_t log, std::uint64_t upto) {
  if (Track* track = find(log).track) {
    track->window.drop_prefix(upto, [&](const Entry& entry) { forget(entry); });
  }
}

// Forgets notes of hand-outs that are settled: those in front, which is what
// happens, and all when one that is not keeps too many behind it.
void Consumer::prune_hand_outs() {
  while (!hand_outs_.empty()) {
    Track* track = find(hand_outs_.front().log).track;
    const Entry* entry = track == nullptr ? nullptr : track->window.first_unsettled();
    if (entry != nullptr && entry->seq <= hand_outs_.front().last) break;
    hand_outs_.pop();
  }
  if (hand_outs_.size() <= 2 * places_ + 1024) return;
  hand_outs_.erase_if([&](const HandOut& note) {
    Track* track = find(note.log).track;
    if (track == nullptr) return true;
    Window& window = track->window;
    std::size_t n = window.lower_bound(note.first);
    for (; n < window.size() && window.at(n).seq <= note.last; ++n) {
      if (window.at(n).state == Window::State::Out) return false;
    }
    return true;
  });
}

void Consumer::plan(TimePoint now) {
  wake_at_.reset();
  if (!member_) return;
  const auto sooner = [&](TimePoint at) { wake_at_ = std::min(wake_at_.value_or(at), at); };
  prune_hand_outs();
  if (!hand_outs_.empty()) sooner(hand_outs_.front().at);
  for (const auto& lane : lanes_) {
    if (lane->wait_until && !lane->gave_up) sooner(*lane->wait_until);
    for (const auto& track : lane->tracks) {
      if (track->retry_at > now) sooner(track->retry_at);
      if (lane->waiting.empty()) continue;
      for (const Entry& entry : track->window) {
        if (entry.state == Window::State::Waiting && entry.at > now) sooner(entry.at);
      }
    }
  }
}

bool Consumer::live() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return std::any_of(lane->tracks.begin(), lane->tracks.end(),
                       [](const auto& track) { return track->live; });
  });
}

std::uint64_t Consumer::backlog() const {
  std::uint64_t count = 0;
  for (const auto& lane : lanes_) {
    for (const auto& track : lane->tracks) {
      count += static_cast<std::uint64_t>(
          std::count_if(track->window.begin(), track->window.end(),
                        [&](const Entry& entry) { return is_owed(*track, entry); }));
      const std::uint64_t passed = std::max(track->position, logs_.find(track->log)->first - 1);
      if (!seen_all(*track)) count += head(*track) - std::min(head(*track), passed);
    }
  }
  return count;
}

bool Consumer::backlog_exact() const {
  if (filters_.matches_all()) return true;
  return std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    return std::all_of(lane->tracks.begin(), lane->tracks.end(),
                       [&](const auto& track) { return seen_all(*track); });
  });
}

std::optional<WallTime> Consumer::oldest() const {
  std::optional<WallTime> oldest;
  for (const auto& lane : lanes_) {
    for (const auto& track : lane->tracks) {
      WallTime time{};
      const auto entry = std::find_if(track->window.begin(), track->window.end(),
                                      [&](const Entry& known) { return is_owed(*track, known); });
      if (entry != track->window.end()) {
        time = entry->recorded;
      } else if (!seen_all(*track) && knows_next(*track)) {
        time = track->next.recorded;
      }
      if (time != WallTime()) oldest = std::min(oldest.value_or(time), time);
    }
  }
  return oldest;
}

}  // namespace marram
