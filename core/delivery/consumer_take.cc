#include <algorithm>
#include <functional>
#include <utility>

#include "core/delivery/consumer.h"

namespace marram {

namespace {

constexpr Duration kRetryAfter = std::chrono::milliseconds(100);

std::uint64_t hash_of_key(const EventView& event) {
  return std::hash<std::string_view>{}(event.ordering_key());
}

// Where `seq` of `log` stands in the batch, if it has only that log; else 0.
std::size_t start_in(const EventBatch& batch, Position position) {
  const auto& events = batch.events();
  const std::uint64_t first = events.front().position.seq();
  if (events.front().position.log() != position.log() || position.seq() < first) return 0;
  const std::uint64_t index = position.seq() - first;
  return index < events.size() && events[index].position == position ? index : 0;
}

}  // namespace

// Events of one batch on their way out: those of one attempt go together.
class Consumer::Writer {
 public:
  Writer(const EventBatchPtr& batch, Actions& out) : batch_(batch), out_(out) {}

  void add(std::size_t index, std::uint32_t attempt) {
    if (attempt != attempt_) flush();
    attempt_ = attempt;
    indices_.push_back(static_cast<std::uint32_t>(index));
  }
  void skip(Gap gap) {
    flush();
    out_.push_back(SkipGap{std::move(gap)});
  }
  void flush() {
    if (!indices_.empty()) out_.push_back(Deliver{batch_, std::move(indices_), attempt_});
    indices_ = {};
  }

 private:
  const EventBatchPtr& batch_;
  Actions& out_;
  std::vector<std::uint32_t> indices_;
  std::uint32_t attempt_ = 1;
};

// A place of the window for the next event.
bool Consumer::room_for(std::size_t bytes) const {
  return member_ && places_ < member_->in_flight_max &&
         (places_ == 0 || places_bytes_ + bytes <= member_->in_flight_bytes_max);
}

// Room with the member for an event that has its place already.
bool Consumer::room_again_for(std::size_t bytes) const {
  return member_ && out_ < member_->in_flight_max &&
         (out_ == 0 || out_bytes_ + bytes <= member_->in_flight_bytes_max);
}

// Not for a handful of events while the member is busy with many.
bool Consumer::worth_asking() const {
  if (full_ || !room_for(1)) return false;
  const std::size_t free = member_->in_flight_max - places_;
  return free >= member_->in_flight_max / 4 || out_ < member_->in_flight_max / 2;
}

Consumer::Taken Consumer::take(Lane& lane, Track& track, const EventView& event, const Now& now) {
  if (event.expires != WallTime() && event.expires <= now.wall) {
    if (member_) ++expired_;
    return Taken::Expired;
  }
  Entry entry;
  entry.seq = event.position.seq();
  entry.recorded = event.recorded;
  entry.bytes = static_cast<std::uint32_t>(event.bytes());
  entry.key = hash_of_key(event);
  entry.attempt = entry.seq <= track.handed ? 1 : 0;
  if (!room_for(entry.bytes)) {
    full_ = true;
    return Taken::NoRoom;
  }
  ++places_;
  places_bytes_ += entry.bytes;
  const auto hold = lane.waiting.empty() ? lane.waiting.end() : lane.waiting.find(entry.key);
  if (hold != lane.waiting.end()) {
    entry.state = Window::State::Waiting;
    entry.at = hold->second.until;
    ++hold->second.count;
  } else {
    make_out(entry, now.steady);
    note_hand_out(track.log, entry.seq, now.steady);
  }
  track.window.push(entry);
  return hold != lane.waiting.end() ? Taken::Held : Taken::Out;
}

// One note covers all that is handed out of a log at a time.
void Consumer::note_hand_out(std::uint32_t log, std::uint64_t seq, TimePoint now) {
  if (member_->ack_wait <= Duration(0)) return;
  const TimePoint at = now + member_->ack_wait;
  if (!hand_outs_.empty() && hand_outs_.back().at == at && hand_outs_.back().log == log) {
    hand_outs_.back().first = std::min(hand_outs_.back().first, seq);
    hand_outs_.back().last = std::max(hand_outs_.back().last, seq);
  } else {
    hand_outs_.push({at, log, seq, seq});
  }
}

void Consumer::on_batch(const EventBatchPtr& batch, std::vector<std::uint32_t>& indices,
                        const Now& now, Actions& out) {
  Found found;
  std::size_t kept = 0;
  for (const std::uint32_t index : indices) {
    const EventView& event = batch->events()[index];
    const std::uint64_t seq = event.position.seq();
    if (found.track == nullptr || found.track->log != event.position.log()) {
      found = find(event.position.log());
      if (found.track == nullptr) continue;
    }
    Track& track = *found.track;
    if (!track.live || seq <= track.position) continue;
    const Taken taken = take(*found.lane, track, event, now);
    if (taken == Taken::Out) {
      indices[kept++] = index;
    } else if (taken == Taken::NoRoom) {
      track.live = false;
      track.position = seq - 1;
      track.next = {seq, event.recorded};
    }
  }
  if (kept == 0) return;
  indices.resize(kept);
  if (kept < indices.capacity() / 2) indices.shrink_to_fit();
  out.push_back(Deliver{batch, std::exchange(indices, {}), 1});
}

void Consumer::on_stretch(const Stretch& stretch, const Now& now, Actions& out) {
  const auto [lane, track] = find(stretch.log);
  if (lane == nullptr) return;
  const Reading reading = std::exchange(lane->reading, Reading::No);
  if (std::exchange(lane->stale, false)) return;
  if (reading == Reading::Again) take_again(*lane, *track, stretch, now, out);
  if (reading == Reading::Next) take_next(*lane, *track, stretch, now, out);
}

void Consumer::take_next(Lane& lane, Track& track, const Stretch& stretch, const Now& now,
                         Actions& out) {
  // The disk may be ahead of what the owner was told; that comes again by on_batch().
  const std::uint64_t upto = std::min(stretch.upto, head(track));
  const std::uint64_t before = track.position;
  Writer writer(stretch.batch, out);
  auto gap = stretch.gaps.begin();
  // Tells of what is gone up to `end`; what is still stored within a gap comes in between.
  const auto skip_gaps = [&](std::uint64_t end) {
    for (; gap != stretch.gaps.end() && gap->from <= end; ++gap) {
      const std::uint64_t from = std::max(gap->from, track.position + 1);
      const std::uint64_t to = std::min(gap->to, end);
      if (from <= to) {
        if (!member_) return false;  // left for the next member to be told
        writer.skip({track.log, from, to, gap->reason});
        track.position = to;
      }
      if (gap->to > end) break;
    }
    return true;
  };
  const std::size_t size = stretch.batch ? stretch.batch->size() : 0;
  for (std::size_t i = size == 0 ? 0 : start_in(*stretch.batch, {track.log, before + 1}); i < size;
       ++i) {
    const EventView& event = stretch.batch->events()[i];
    const std::uint64_t seq = event.position.seq();
    if (event.position.log() != track.log || seq <= before) continue;
    if (seq <= stretch.gone) continue;
    if (seq > upto) break;
    if (!stretch.filtered && !filters_.match(event.topic, event.recorded)) continue;
    const bool told = skip_gaps(seq - 1);
    const Taken taken = told ? take(lane, track, event, now) : Taken::NoRoom;
    if (taken == Taken::Out) writer.add(i, seq <= track.handed ? 2 : 1);
    track.next = {seq, event.recorded};
    if (taken == Taken::NoRoom) {
      if (told) track.position = std::max(track.position, seq - 1);
      writer.flush();
      return;
    }
    track.position = seq;
  }
  if (skip_gaps(upto)) track.position = std::max(track.position, upto);
  writer.flush();
  if (track.position == before) track.retry_at = now.steady + kRetryAfter;
  update_live(lane);
}

void Consumer::take_again(Lane& lane, Track& track, const Stretch& stretch, const Now& now,
                          Actions& out) {
  const std::uint64_t upto = std::min(stretch.upto, head(track));
  const std::size_t size = stretch.batch ? stretch.batch->size() : 0;
  if (upto <= stretch.after) track.retry_at = now.steady + kRetryAfter;
  Writer writer(stretch.batch, out);
  std::size_t i = 0;
  Window& window = track.window;
  for (std::size_t n = window.lower_bound(stretch.after + 1); n < window.size(); ++n) {
    Entry& entry = window.at(n);
    if (entry.seq > upto) break;
    // What fell due since then may belong behind something before this stretch.
    if (entry.state != Window::State::Waiting || entry.at > lane.asked_at) continue;
    const Position wanted(track.log, entry.seq);
    const auto before = [&](const EventView& event) {
      return event.position.log() != track.log || event.position < wanted;
    };
    while (i < size && before(stretch.batch->events()[i])) ++i;
    const EventView* event = i < size ? &stretch.batch->events()[i] : nullptr;
    const bool here = event != nullptr && event->position == wanted && entry.seq > stretch.gone &&
                      (stretch.filtered || filters_.match(event->topic, event->recorded));
    if (here && (event->expires == WallTime() || event->expires > now.wall)) {
      if (!room_again_for(entry.bytes)) break;
      leave(lane, entry);
      make_out(entry, now.steady);
      note_hand_out(track.log, entry.seq, now.steady);
      writer.add(i, entry.attempt);
      continue;
    }
    if (here) ++expired_;
    for (const Gap& gap : stretch.gaps) {
      if (gap.from <= entry.seq && entry.seq <= gap.to) {
        writer.skip({track.log, entry.seq, entry.seq, gap.reason});
      }
    }
    make_settled(lane, track, entry);
  }
  writer.flush();
  trim(track);
}

}  // namespace marram
