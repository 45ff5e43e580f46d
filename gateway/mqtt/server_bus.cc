// Events to the store, and what the Bus tells.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/assert.h"
#include "gateway/mqtt/server.h"

namespace marram::mqtt {

namespace {

constexpr Duration kUnstallAfter = std::chrono::milliseconds(5);
constexpr Duration kRemoveAgainAfter = std::chrono::milliseconds(20);
constexpr int kRemoveTriesMax = 100;
constexpr Duration kHoldAtFirst = std::chrono::milliseconds(50);
constexpr Duration kHoldAtMost = std::chrono::seconds(1);

}  // namespace

Connection* Server::find(SubscriptionId subscription) {
  const auto found = subscriptions_.find(subscription);
  return found == subscriptions_.end() ? nullptr : find(found->second);
}

// --- to the store ---

// False: `events` and `flight` are as they were, and nobody is read until the
// store takes them.
bool Server::launch(std::unique_ptr<EventBatch>& events, Flight& flight) {
  flight.token = ++last_token_;
  const Status status = bus_.submit(std::move(events), inbox_, flight.token);
  if (status) {
    flights_.push_back(std::move(flight));
    flight = Flight();
    events = std::make_unique<EventBatch>();
    return true;
  }
  if (status.error().code != Errc::Overloaded) {
    log_.error("mqtt", "the node takes no more events", {{"cause", status.error().message}});
    begin_closing();
    closing_until_ = now_.steady;
  }
  return false;
}

void Server::submit() {
  if (batch_->empty()) return;
  const bool was_stalled = stalled_;
  stalled_ = !launch(batch_, next_flight_);
  unstall_at_ = stalled_ ? now_.steady + kUnstallAfter : TimePoint::max();
  if (stalled_ || !was_stalled) return;
  // Whoever was not read meanwhile is looked at again.
  for (const auto& connection : slots_) {
    if (connection && !connection->waits_readable) mark_dirty(*connection);
  }
}

// --- notices ---

bool Server::take_notices() {
  if (!inbox_->take(notices_)) return false;
  for (Notice& notice : notices_) std::visit([&](auto& what) { on(what); }, notice);
  notices_.clear();
  return true;
}

void Server::on(Published& notice) {
  MARRAM_ASSERT(!flights_.empty() && flights_.front().token == notice.token,
                "batches of one submitter are answered in order");
  const Flight flight = std::move(flights_.front());
  flights_.pop_front();
  std::size_t first = 0;
  for (const Run& run : flight.runs) {
    const std::span ids = std::span(flight.packet_ids).subspan(first, run.count);
    if (Connection* const connection = find(run.who)) {
      connection->in_air -= run.count;
      answer(*connection, notice, first, ids);
      if (flight.second_try) after_second_try(*connection);
    }
    first += run.count;
  }
}

void Server::answer(Connection& connection, const Published& notice, std::size_t first,
                    std::span<const std::uint16_t> packet_ids) {
  if (notice.results.empty()) {
    with(connection,
         [&](Session& session) { session.on_stored(packet_ids, Reason::Success, actions_); });
    return;
  }
  for (std::size_t i = 0; i < packet_ids.size(); ++i) {
    const Reason reason = reason_of(notice.results[first + i]);
    if (connection.session.over()) return;
    if (reason == Reason::QuotaExceeded && connection.session.version() == Version::V311) {
      hold(connection, notice.batch->events()[first + i], packet_ids[i]);
      continue;
    }
    with(connection,
         [&](Session& session) { session.on_stored(packet_ids.subspan(i, 1), reason, actions_); });
  }
}

void Server::on(Delivered& notice) {
  Connection* const connection = find(notice.subscription);
  if (connection == nullptr) return;
  with(*connection, [&](Session& session) { session.on_delivered(notice, now_.wall, actions_); });
}

void Server::on(Skipped& notice) {
  Connection* const connection = find(notice.subscription);
  if (connection == nullptr) return;
  const std::uint64_t count = notice.gap.to - notice.gap.from + 1;
  skipped_ += count;
  log_.warn("mqtt", "a session has lost events to a limit",
            {{"client", connection->session.client_id()},
             {"reason", notice.gap.reason},
             {"events", std::to_string(count)}});
}

void Server::on(Opened& notice) {
  if (Connection* const connection = find(notice.subscription)) {
    with(*connection, [&](Session& session) { session.on_opened(actions_); });
  }
}

void Server::on(Changed& notice) {
  if (Connection* const connection = find(notice.subscription)) {
    with(*connection, [&](Session& session) { session.on_changed(notice.status, actions_); });
  }
}

void Server::on(Ended& notice) {
  Connection* const connection = find(notice.subscription);
  subscriptions_.erase(notice.subscription);
  if (connection == nullptr) return;
  connection->subscription = 0;
  log_.debug("mqtt", "a subscription has ended",
             {{"client", connection->session.client_id()}, {"error", notice.error.message}});
  with(*connection, [&](Session& session) { session.on_ended(notice.error, actions_); });
}

void Server::on(Removed& notice) {
  const auto found = std::find_if(removals_.begin(), removals_.end(), [&](const auto& entry) {
    return entry.second.token == notice.token;
  });
  if (found == removals_.end()) return;
  const bool gone = notice.status || notice.status.error().code == Errc::NotFound;
  const bool busy = !gone && notice.status.error().code == Errc::Busy;
  if (busy && found->second.tries < kRemoveTriesMax) {
    // Its making, or the leave of its last member, is still on the way.
    found->second.again_at = now_.steady + kRemoveAgainAfter;
    remove_again_at_ = std::min(remove_again_at_, found->second.again_at);
    return;
  }
  if (!gone) {
    log_.warn("mqtt", "a session could not be removed",
              {{"client", found->first}, {"error", notice.status.error().message}});
  }
  Removal removal = std::move(found->second);
  removals_.erase(found);
  finish_removal(removal, gone);
}

// --- a full store, and clients that can only be held back ---

void Server::hold(Connection& connection, const EventView& event, std::uint16_t packet_id) {
  if (!connection.held) {
    connection.held = std::make_unique<Held>();
    holding_.push_back(connection.handle);
    if (hold_for_ == Duration()) {
      log_.warn("mqtt", "the store is full: MQTT 3.1.1 clients are held back",
                {{"client", connection.session.client_id()}});
      hold_for_ = kHoldAtFirst;
    }
  }
  connection.held->refused.events->add(event, now_.wall, ids_);
  connection.held->refused.packet_ids.push_back(packet_id);
  if (hold_until_ == TimePoint::max()) {
    hold_until_ = now_.steady + hold_for_;
    hold_for_ = std::min(hold_for_ * 2, kHoldAtMost);
  }
}

void Server::after_second_try(Connection& connection) {
  Held& held = *connection.held;
  held.trying = false;
  if (!held.refused.events->empty()) return;
  hold_for_ = kHoldAtFirst;
  try_again(connection);
}

void Server::try_again() {
  hold_until_ = TimePoint::max();
  std::vector<Handle> still;
  for (const Handle who : holding_) {
    Connection* const connection = find(who);
    if (connection == nullptr || !connection->held) continue;
    try_again(*connection);
    if (connection->held) still.push_back(who);
  }
  holding_ = std::move(still);
  if (holding_.empty()) {
    hold_for_ = {};
    return;
  }
  hold_until_ = std::min(hold_until_, now_.steady + hold_for_);
}

// What was refused first; then, when nothing is on its way, what came later.
void Server::try_again(Connection& connection) {
  Held& held = *connection.held;
  if (held.trying) return;
  if (held.refused.events->empty()) {
    if (connection.in_air > 0) return;
    std::swap(held.refused, held.later);
    if (held.refused.events->empty()) {
      connection.held.reset();
      mark_dirty(connection);
      return;
    }
  }
  Flight flight;
  flight.second_try = true;
  flight.packet_ids = std::move(held.refused.packet_ids);
  const auto count = static_cast<std::uint32_t>(flight.packet_ids.size());
  flight.runs.push_back({connection.handle, count});
  if (!launch(held.refused.events, flight)) {
    held.refused.packet_ids = std::move(flight.packet_ids);
    return;
  }
  held.refused.packet_ids.clear();
  held.trying = true;
  connection.in_air += count;
}

}  // namespace marram::mqtt
