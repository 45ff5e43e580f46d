#include "core/mesh/link.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8.h"

namespace marram::mesh {

namespace {

constexpr Duration kSilentMin = std::chrono::seconds(1);
constexpr Duration kSilentMax = std::chrono::minutes(10);

// Silence where something was under way: then the peer is asked, and has so long to answer.
constexpr Duration kLull = std::chrono::milliseconds(500);
constexpr Duration kAnswerMin = std::chrono::seconds(1);

std::uint32_t cost_of(Duration trip) {
  std::uint32_t cost = 1;
  while (cost < 32'768 && Duration(std::chrono::milliseconds(5)) * cost < trip) cost *= 2;
  return cost;
}

Duration in_bounds(Duration silent_after) {
  return std::clamp(silent_after, kSilentMin, kSilentMax);
}

}  // namespace

Link::Link(SessionInfo info, const LinkOptions& options, TimePoint now, Actions& out)
    : info_(std::move(info)),
      options_(options),
      began_(now),
      heard_at_(now),
      spoke_at_(now),
      data_at_(now),
      data_sent_at_(now),
      granted_(options.hello.window_bytes) {
  if (!info_.dialled) return;
  out.push_back(SendFrame{info_.id, options_.hello});
  greeted_ = true;
}

Status Link::on_hello(const wire::LinkHello& hello, TimePoint now, Actions& out) {
  if (live_) return fail(Errc::Protocol, "mesh: a second HELLO in one session");
  if (hello.low > wire::kVersionHigh || hello.high < wire::kVersionLow) {
    return fail(Errc::Version, fmt::format("mesh: {} speaks versions {} to {}, this build {} to {}",
                                           in_quotes(hello.name), hello.low, hello.high,
                                           wire::kVersionLow, wire::kVersionHigh));
  }
  if (hello.node_id.empty() || hello.node_id.size() > wire::kIdBytesMax) {
    return fail(Errc::Protocol, "mesh: HELLO without a node id");
  }
  if (!info_.proven_id.empty() && hello.node_id != info_.proven_id) {
    return fail(Errc::Refused, fmt::format("mesh: a peer with the key of {} says that it is {}",
                                           info_.proven_id, in_quotes(hello.node_id)));
  }
  if (hello.window_bytes < Pace::kFrameMax) {
    return fail(Errc::Protocol, fmt::format("mesh: {} offers a window of {} bytes, below {}",
                                            hello.node_id, hello.window_bytes, Pace::kFrameMax));
  }
  peer_ = hello;
  live_ = true;
  live_since_ = now;
  greeting_took_ = now - began_;
  heard_at_ = now;
  pace_.on_window(hello.window_bytes);
  if (!greeted_) out.push_back(SendFrame{info_.id, options_.hello});
  greeted_ = true;
  ping(now, out);
  return {};
}

Status Link::on_frame(const wire::LinkFrame& frame, std::uint64_t credit_bytes, TimePoint now,
                      Actions& out) {
  if (!live_) return fail(Errc::Protocol, "mesh: a frame before HELLO");
  heard_at_ = now;
  stuck_ = false;
  if (credit_bytes != 0) {
    data_at_ = now;
    if (credit_bytes > wire::kFrameCredit) events_at_ = now;
    received_ += credit_bytes;
    // A single frame may pass the window's end when nothing else is on its way.
    if (received_ > granted_ + wire::kLinkFrameBytesMax) {
      return fail(Errc::Protocol, fmt::format("mesh: {} sent {} bytes beyond its window",
                                              peer_.node_id, received_ - granted_));
    }
  } else if (const auto* const asked = std::get_if<wire::Ping>(&frame)) {
    out.push_back(SendFrame{info_.id, wire::Pong{asked->number}});
    on_sent(now);
  } else if (const auto* const pong = std::get_if<wire::Pong>(&frame)) {
    on_pong(pong->number, now);
  } else if (const auto* const credit = std::get_if<wire::Credit>(&frame)) {
    if (!pace_.on_credit(credit->granted, peer_.window_bytes, now)) {
      return fail(Errc::Protocol, "mesh: credit for more than was sent");
    }
  }
  return {};
}

void Link::on_data_sent(std::uint64_t bytes, TimePoint now) {
  pace_.on_sent(bytes, now);
  spoke_at_ = data_sent_at_ = now;
}

void Link::ping(TimePoint now, Actions& out) {
  if (!pinged_at_) {
    ++ping_no_;
    pinged_at_ = now;
  }
  out.push_back(SendFrame{info_.id, wire::Ping{ping_no_}});
  spoke_at_ = asked_at_ = now;
}

void Link::on_pong(std::uint64_t number, TimePoint now) {
  if (number != ping_no_ || !pinged_at_) return;
  const Duration took = now - *pinged_at_;
  pinged_at_.reset();
  // The shortest of late: what waits in queues is not the link's.
  const bool first = !round_trip_;
  round_trip_ = first || took < *round_trip_ ? took : *round_trip_ + (took - *round_trip_) / 8;
  shortest_ = std::min(shortest_.value_or(took), took);
  cost_ = cost_of(*shortest_);
}

// What has been released since, at each tick.
void Link::give_credit(Actions& out, TimePoint now) {
  const std::uint64_t now_granted = released_ + options_.hello.window_bytes;
  if (now_granted <= granted_) return;
  granted_ = now_granted;
  out.push_back(SendFrame{info_.id, wire::Credit{granted_}});
  spoke_at_ = now;
}

Status Link::on_tick(TimePoint now, Actions& out) {
  if (!live_) {
    if (now - began_ < options_.greeting_max) return {};
    return fail(Errc::TimedOut, "mesh: no HELLO in time");
  }
  const Duration silent = now - heard_at_;
  const Duration own = in_bounds(options_.hello.silent_after);
  if (silent >= (stuck_ ? own / 3 : own)) {
    return fail(Errc::TimedOut, fmt::format("mesh: {} has been silent for {} ms", peer_.node_id,
                                            silent.count() / 1000));
  }
  give_credit(out, now);
  if (const auto at = asks_early_at(); at && now >= *at) ping(now, out);
  if (const auto at = stuck_at(); at && now >= *at) stuck_ = true;
  const Duration every = std::min(in_bounds(peer_.silent_after), own) / 3;
  if (now - spoke_at_ >= every || (silent >= every && now - asked_at_ >= every)) {
    ping(now, out);
  }
  return {};
}

TimePoint Link::wake_at() const {
  if (!live_) return began_ + options_.greeting_max;
  const Duration own = in_bounds(options_.hello.silent_after);
  const Duration every = std::min(in_bounds(peer_.silent_after), own) / 3;
  TimePoint at = std::min(spoke_at_ + every, heard_at_ + own);
  at = std::min(at, std::max(heard_at_, asked_at_) + every);
  at = std::min(at, asks_early_at().value_or(at));
  return std::min(at, stuck_ ? heard_at_ + own / 3 : stuck_at().value_or(at));
}

std::optional<TimePoint> Link::asks_early_at() const {
  const bool under_way = pace_.in_flight() > 0 || data_at_ > asked_at_;
  if (!info_.dialled || !under_way || asked_at_ > heard_at_) return {};
  return heard_at_ + kLull;
}

std::optional<TimePoint> Link::stuck_at() const {
  if (!info_.dialled || !pinged_at_) return {};
  return std::max(*pinged_at_, heard_at_) +
         std::max(kAnswerMin, 4 * round_trip_.value_or(greeting_took_));
}

}  // namespace marram::mesh
