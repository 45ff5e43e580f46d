// The broker and publishers that wait: what has been replicated, what delivered.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/node/broker_body.h"

namespace marram {

namespace {

constexpr std::size_t kWaitsMax = 65'536;
constexpr std::string_view kRouteConsumer = "route:";

}  // namespace

Status Broker::Body::check_level(const Level& level) const {
  if (level.at == Level::At::Replicated && !options.copies) {
    return fail(Errc::Unsupported,
                fmt::format("publish: level {} needs peers, and this node has no mesh (set "
                            "mesh.listen or mesh.peers)",
                            level_text(level)));
  }
  if (level.at == Level::At::Delivered && route_slot(level.route) == nullptr) {
    return fail(Errc::NotFound,
                fmt::format("publish: level {}: this node has no route of that name (it "
                            "counts on the node that runs the route)",
                            level_text(level)));
  }
  if (levels.size() >= kWaitsMax) {
    return fail(Errc::Overloaded,
                fmt::format("publish: {} calls wait for a level already (try again)", kWaitsMax));
  }
  return {};
}

Broker::Body::Slot* Broker::Body::route_slot(const std::string& route) const {
  const auto found = by_name.find(std::string(kRouteConsumer) + route);
  return found == by_name.end() ? nullptr : found->second;
}

bool Broker::Body::has_reached(const Level& level, Position position) const {
  if (level.at == Level::At::Stored) return true;
  if (level.at == Level::At::Replicated) return is_replicated(level.peers, position);
  const Slot* const slot = route_slot(level.route);
  return slot != nullptr && slot->consumer->cursor_of(position.log()).value_or(0) >= position.seq();
}

// Whoever began with the log behind a position has never had it.
bool Broker::Body::is_replicated(std::uint32_t peers, Position position) const {
  const auto found = replicated.find(position.log());
  if (found == replicated.end()) return false;
  const auto has = [&](const mesh::Replicated::Copy& copy) {
    return copy.from <= position.seq() && position.seq() <= copy.upto;
  };
  return std::count_if(found->second.begin(), found->second.end(), has) >= peers;
}

void Broker::Body::await_level(const Level& level, const std::vector<Position>& positions,
                               Duration patience, std::function<void(Result<bool>)> done) {
  if (auto status = check_level(level); !status) return done(tl::unexpected(status.error()));
  std::vector<Position> missing;
  for (const Position position : positions) {
    if (!has_reached(level, position)) missing.push_back(position);
  }
  tell_time();
  constexpr Duration kPatienceMax = std::chrono::hours(24);
  levels.add(level_text(level), missing,
             now.steady + std::clamp(patience, Duration(0), kPatienceMax),
             [done = std::move(done)](bool in_time) { done(in_time); });
  if (level.at == Level::At::Delivered && !missing.empty()) route_slot(level.route)->awaited = true;
}

// A route's cursor may have moved.
void Broker::Body::tell_delivered(Slot& slot) {
  const Level level{.at = Level::At::Delivered,
                    .route = slot.record.name.substr(kRouteConsumer.size())};
  const std::string what = level_text(level);
  const auto logs_awaited = levels.logs(what);
  slot.awaited = !logs_awaited.empty();
  for (const std::uint32_t in : logs_awaited) {
    levels.on_reached(what, in, slot.consumer->cursor_of(in).value_or(0));
  }
}

void Broker::on_replicated(const mesh::Replicated& told) {
  body_->replicated[told.log] = told.stored;
  if (body_->levels.empty()) return;
  std::uint64_t most = 0;
  for (const mesh::Replicated::Copy& copy : told.stored) most = std::max(most, copy.upto);
  for (std::uint32_t peers = 1; peers <= told.stored.size(); ++peers) {
    const Level level{.at = Level::At::Replicated, .peers = peers};
    body_->levels.on_reached(level_text(level), told.log, most, [&](std::uint64_t seq) {
      return body_->is_replicated(peers, Position(told.log, seq));
    });
  }
}

void Broker::await_level(const Level& level, const std::vector<Position>& positions,
                         Duration patience, std::function<void(Result<bool>)> done) {
  body_->await_level(level, positions, patience, std::move(done));
}

}  // namespace marram
