#include "gateway/connectors/mqtt_inbound.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace marram {
namespace {

constexpr Duration kCommitWithin = std::chrono::seconds(30);
constexpr Duration kTryAgainAfter = std::chrono::milliseconds(200);

// Whether the same event may be taken later.
bool may_pass(Errc code) { return code == Errc::Full || code == Errc::Overloaded; }

bool is_poison(Errc code) { return code == Errc::Invalid || code == Errc::TooLarge; }

}  // namespace

MqttInbound::MqttInbound(Bus& bus, NodeIdentity node, const ConnectorConfig& config,
                         const ConnectorHost& host)
    : bus_(bus),
      node_(std::move(node)),
      config_(config),
      host_(host),
      reporter_(host),
      dialer_(config_, node_, status_,
              [this](const MqttMessage& message) { on_message(message); }) {}

Status MqttInbound::run() {
  for (;;) {
    look_at_clock();
    if (!over_) dialer_.tick(now_, wall_);
    take_link_events();
    take_counts();
    if (look_at_stuck()) return fail(Errc::Io, over_->text);
    reporter_.tick(status_, now_);
    TimePoint until = std::min(reporter_.wake_at(), dialer_.wake_at().value_or(TimePoint::max()));
    if (over_) until = std::min(until, over_at_);
    // What is over is not looked at any more, though it may be readable.
    const int link_fd = over_ || dialer_.link() == nullptr ? -1 : dialer_.link()->fd();
    if (!wait_for(host_, {over_ ? -1 : stuck_.fd(), link_fd}, now_, until)) return {};
  }
}

void MqttInbound::look_at_clock() {
  now_ = Clock::system().now();
  wall_ = Clock::system().wall();
}

void MqttInbound::take_link_events() {
  while (!over_ && dialer_.link() != nullptr && dialer_.link()->take(events_)) {
    look_at_clock();
    const MqttLink* link = dialer_.link();
    for (const LinkEvent& event : events_) {
      std::visit([this](const auto& what) { on(what); }, event);
      if (dialer_.link() != link) break;
    }
  }
}

void MqttInbound::on(const LinkConnected& event) {
  dialer_.on_connected(now_, wall_);
  // MQTT 3.1.1 sends all retained messages again with each SUBSCRIBE.
  if (config_.route.protocol == MqttVersion::V311 && event.session_present && subscribed_) {
    dialer_.progress();
  } else if (const auto ok = dialer_.link()->subscribe(config_.route.from); !ok) {
    dialer_.fault(FaultKind::Retry, ok.error().message, now_, wall_);
  }
}

void MqttInbound::on(const LinkLost& event) {
  const FaultKind kind = event.was_connected ? lost_fault(event.code) : connect_fault(event.code);
  dialer_.fault(kind == FaultKind::Poison ? FaultKind::Retry : kind, event.text, now_, wall_);
}

void MqttInbound::on(const LinkSubscribed& event) {
  if (event.code == 0) {
    subscribed_ = true;
    dialer_.progress();
  } else {
    // Paho acknowledges what comes while we close a connection, stored or not.  This
    // one goes on until the process ends, which acknowledges nothing.
    stuck_.post({subscribe_fault(event.code),
                 "the broker refused a filter of `from`: " + mqtt_code_text(event.code)});
  }
}

void MqttInbound::take_counts() {
  const Counts counts = counts_.with([](Counts& all) { return all; });
  if (counts.skipped != status_.skipped) {
    count_fault(status_, FaultKind::Poison, counts.skipped_why, wall_);
  }
  status_.taken = counts.taken;
  status_.looped = counts.looped;
  status_.skipped = counts.skipped;
}

bool MqttInbound::look_at_stuck() {
  std::vector<Stuck> stuck;
  if (!over_ && stuck_.take(stuck)) {
    over_ = std::move(stuck.front());
    count_fault(status_, over_->kind, over_->text, wall_);
    const bool pause = over_->kind != FaultKind::Retry;
    status_.state = pause ? RouteState::Paused : RouteState::Connecting;
    over_at_ = now_ + (pause ? config_.paused_for : Duration{0});
  }
  if (!over_ || now_ < over_at_) return false;
  reporter_.tick(status_, now_);
  return true;
}

void MqttInbound::on_message(const MqttMessage& message) {
  if (has_passed(message, node_.id)) {
    counts_.with([](Counts& counts) { ++counts.looped; });
    return;
  }
  const auto event =
      from_outside(message, config_.route, node_, Clock::system().wall(), bus_.limits());
  if (!event) return refuse(message, event.error().message);
  const auto stored = submit_and_wait(*event);
  if (stored) {
    counts_.with([](Counts& counts) { ++counts.taken; });
  } else if (is_poison(stored.error().code)) {
    refuse(message, stored.error().message);
  } else {
    stay(FaultKind::Retry, stored.error().message);
  }
}

Status MqttInbound::submit_and_wait(const Event& event) {
  const auto headers = pack_headers(event.headers);
  if (!headers) return tl::unexpected(headers.error());
  for (;;) {
    auto batch = std::make_unique<EventBatch>();
    batch->add(event, *headers, Clock::system().wall(), ids_);
    if (const auto ok = check_event(batch->events().front(), bus_.limits()); !ok) return ok;
    Status status = bus_.submit(std::move(batch), inbox_, ++token_);
    const TimePoint deadline = Clock::system().now() + kCommitWithin;
    bool answered = !status;
    while (!answered) {
      const TimePoint now = Clock::system().now();
      if (now >= deadline) return fail(Errc::TimedOut, "the node has not stored it in time");
      if (!inbox_->take(notices_)) {
        inbox_->wait(deadline - now);
        continue;
      }
      for (const Notice& notice : notices_) {
        const auto* published = std::get_if<Published>(&notice);
        if (published == nullptr || published->token != token_) continue;
        answered = true;
        if (!published->results.empty()) status = published->results.front();
      }
    }
    if (status || !may_pass(status.error().code)) return status;
    // Not acknowledging holds the broker back until there is room.
    Signal().wait(kTryAgainAfter);
  }
}

void MqttInbound::refuse(const MqttMessage& message, const std::string& why) {
  std::string text = fmt::format("message on {}: {}", message.topic, why);
  if (config_.route.on_poison == OnPoison::Pause) stay(FaultKind::Poison, std::move(text));
  counts_.with([&](Counts& counts) {
    ++counts.skipped;
    counts.skipped_why = std::move(text);
  });
}

void MqttInbound::stay(FaultKind kind, std::string text) {
  stuck_.post({kind, std::move(text)});
  for (;;) Signal().wait({});
}

}  // namespace marram
