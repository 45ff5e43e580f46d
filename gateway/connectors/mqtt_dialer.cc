#include "gateway/connectors/mqtt_dialer.h"

#include <utility>

namespace marram {
namespace {

// A connection that held for so long was a good one, also without any traffic.
constexpr Duration kGoodConnection = std::chrono::seconds(5);

MqttLinkOptions link_options(const RouteOptions& route, const NodeIdentity& node) {
  MqttLinkOptions options;
  if (const auto target = parse_route_target(route.to)) options.target = *target;
  options.protocol = route.protocol;
  options.client_id =
      route.client_id.empty() ? "marram-" + node.name + "-" + route.name : route.client_id;
  options.user = route.user;
  options.password = route.password;
  options.tls = route.tls;
  options.clean_start = route.direction == RouteDirection::Out;
  options.in_flight = route.in_flight;
  options.keep_alive = route.keep_alive;
  return options;
}

}  // namespace

MqttDialer::MqttDialer(const ConnectorConfig& config, const NodeIdentity& node, RouteStatus& status,
                       MqttLink::OnMessage on_message)
    : options_(link_options(config.route, node)),
      paused_for_(config.paused_for),
      backoff_(config.redial_least, config.redial_most),
      status_(status),
      on_message_(std::move(on_message)),
      random_(std::random_device{}()) {}

void MqttDialer::tick(TimePoint now, WallTime wall) {
  if (link_ != nullptr || now < dial_at_) return;
  auto link = MqttLink::dial(options_, on_message_);
  if (link) {
    link_ = std::move(*link);
  } else {
    fault(FaultKind::Retry, link.error().message, now, wall);
  }
}

std::optional<TimePoint> MqttDialer::wake_at() const {
  if (link_ != nullptr) return {};
  return dial_at_;
}

void MqttDialer::on_connected(TimePoint now, WallTime wall) {
  connected_at_ = now;
  status_.connected_since = wall;
  if (!paused_) status_.state = RouteState::Connected;
}

void MqttDialer::progress() {
  backoff_.reset();
  paused_ = false;
  if (connected()) status_.state = RouteState::Connected;
}

void MqttDialer::fault(FaultKind kind, const std::string& text, TimePoint now, WallTime wall) {
  if (connected_at_ && now - *connected_at_ > kGoodConnection) backoff_.reset();
  link_.reset();
  connected_at_.reset();
  status_.connected_since = {};
  count_fault(status_, kind, text, wall);
  if (kind != FaultKind::Retry) paused_ = true;
  status_.state = paused_ ? RouteState::Paused : RouteState::Connecting;
  const auto random = static_cast<std::uint32_t>(random_() << 1);
  dial_at_ = now + (kind == FaultKind::Retry ? backoff_.next(random) : paused_for_);
}

void count_fault(RouteStatus& status, FaultKind kind, const std::string& text, WallTime wall) {
  switch (kind) {
    case FaultKind::Retry:
      ++status.errors_retry;
      break;
    case FaultKind::Poison:
      ++status.errors_poison;
      break;
    case FaultKind::Auth:
      ++status.errors_auth;
      break;
  }
  status.last_error = text;
  status.last_error_at = wall;
}

}  // namespace marram
