#include "gateway/connectors/mqtt_outbound.h"

#include <fmt/format.h>

#include <algorithm>

namespace marram {
namespace {

constexpr Duration kCloseWithin = std::chrono::seconds(2);

SubscribeOptions subscribe_options(const RouteOptions& route) {
  SubscribeOptions options;
  options.filters = route.from;
  options.name = route_consumer(route.name);
  options.in_flight_max = route.in_flight;
  options.ack_wait = Duration{0};  // a broker that is away is no reason to hand out again
  options.take_over = true;        // of a predecessor that the node has not missed yet
  return options;
}

}  // namespace

MqttOutbound::MqttOutbound(Bus& bus, NodeIdentity node, const ConnectorConfig& config,
                           const ConnectorHost& host)
    : bus_(bus),
      node_(std::move(node)),
      config_(config),
      dialer_(config_, node_, status_, {}),
      window_(config.route.in_flight),
      reporter_(host),
      host_(host) {}

MqttOutbound::~MqttOutbound() {
  if (subscription_ == 0 || ended_) return;
  bus_.close_subscription(subscription_);
  const TimePoint deadline = Clock::system().now() + kCloseWithin;
  while (!ended_ && Clock::system().now() < deadline) {
    if (!take_notices()) inbox_->wait(std::chrono::milliseconds(50));
  }
}

Status MqttOutbound::run() {
  subscription_ = bus_.open(subscribe_options(config_.route), inbox_);
  for (;;) {
    look_at_clock();
    dialer_.tick(now_, wall_);
    // Both mailboxes must have been found empty before their descriptors tell.
    bool more = true;
    while (more && !ended_) {
      more = take_notices();
      more = take_link_events() || more;
      send_waiting();
      flush_settled();
    }
    if (ended_) return tl::unexpected(*ended_);
    look_at_clock();
    reporter_.tick(status_, now_);
    const TimePoint until =
        std::min(reporter_.wake_at(), dialer_.wake_at().value_or(TimePoint::max()));
    const int link_fd = dialer_.link() == nullptr ? -1 : dialer_.link()->fd();
    if (!wait_for(host_, {inbox_->fd(), link_fd}, now_, until)) return {};
  }
}

void MqttOutbound::look_at_clock() {
  now_ = Clock::system().now();
  wall_ = Clock::system().wall();
}

bool MqttOutbound::take_notices() {
  if (!inbox_->take(notices_)) return false;
  for (Notice& notice : notices_) {
    if (auto* delivered = std::get_if<Delivered>(&notice)) {
      for (const std::uint32_t index : delivered->indices) window_.add(delivered->batch, index);
    } else if (const auto* skipped = std::get_if<Skipped>(&notice)) {
      on_gap(skipped->gap);
    } else if (auto* ended = std::get_if<Ended>(&notice)) {
      ended_ = std::move(ended->error);
    } else if (std::holds_alternative<Opened>(notice) && !std::exchange(filters_told_, true)) {
      // The consumer may be from a time when the config had other filters.
      bus_.change(subscription_, config_.route.from, "");
    } else if (auto* changed = std::get_if<Changed>(&notice); changed && !changed->status) {
      count_fault(status_, FaultKind::Retry, changed->status.error().message, wall_);
    }
  }
  return true;
}

void MqttOutbound::on_gap(const Gap& gap) {
  const std::uint64_t events = gap.to - gap.from + 1;
  status_.missed += events;
  count_fault(status_, FaultKind::Poison,
              fmt::format("{} events are gone from the store ({}), from position {} on", events,
                          gap.reason, gap.from),
              wall_);
}

bool MqttOutbound::take_link_events() {
  if (dialer_.link() == nullptr || !dialer_.link()->take(events_)) return false;
  look_at_clock();
  const MqttLink* link = dialer_.link();
  for (const LinkEvent& event : events_) {
    std::visit([this](const auto& what) { on(what); }, event);
    if (dialer_.link() != link) break;  // given up; the rest is about the past
  }
  return true;
}

void MqttOutbound::on(const LinkConnected& event) {
  packet_bytes_max_ = event.packet_bytes_max;
  window_.on_connected(event.receive_maximum);
  dialer_.on_connected(now_, wall_);
}

void MqttOutbound::on(const LinkLost& event) {
  if (!event.was_connected) return give_up_link(connect_fault(event.code), event.text);
  const FaultKind kind = lost_fault(event.code);
  const auto blame = window_.on_lost(kind == FaultKind::Poison);
  if (blame && !poison(blame->serial, event.text, blame->certain)) return;
  give_up_link(kind == FaultKind::Poison ? FaultKind::Retry : kind, event.text);
}

void MqttOutbound::on(const LinkAcked& event) {
  ++status_.acked;
  dialer_.progress();
  finish(event.serial);
}

void MqttOutbound::on(const LinkRefused& event) {
  const std::string text = "the broker refused it: " + mqtt_code_text(event.code);
  const FaultKind kind = publish_fault(event.code);
  if (kind == FaultKind::Poison) {
    poison(event.serial, text, true);
  } else {
    // What was sent behind it must not overtake it: all of it goes again.
    give_up_link(kind, text);
  }
}

void MqttOutbound::send_waiting() {
  if (!dialer_.connected()) return;
  while (const auto item = window_.next()) {
    if (!send(*item)) return;
  }
}

bool MqttOutbound::send(const OutboundWindow::Item& item) {
  if (is_expired(*item.event, wall_)) {
    ++status_.expired;
    finish(item.serial);
    return true;
  }
  auto message = to_outside(*item.event, config_.route, node_, wall_);
  if (!message) return poison(item.serial, message.error().message, true);
  if (message->packet_bytes() > packet_bytes_max_) {
    return poison(item.serial,
                  fmt::format("{} bytes, over the broker's Maximum Packet Size of {}",
                              message->packet_bytes(), packet_bytes_max_),
                  true);
  }
  ++status_.sent;
  if (dialer_.link()->publish(item.serial, std::move(*message))) return true;
  window_.on_lost(false);
  give_up_link(FaultKind::Retry, "the connection was lost");
  return false;
}

// True: the event was skipped, and the connection stands.
bool MqttOutbound::poison(std::uint64_t serial, const std::string& why, bool certain) {
  const EventView* event = window_.find(serial);
  if (event == nullptr) return true;
  const std::string text = fmt::format("event {} on {}: {}{}", event->id_text(), event->topic,
                                       certain ? "" : "the connection is lost over it: ", why);
  if (config_.route.on_poison == OnPoison::Skip && certain) {
    count_fault(status_, FaultKind::Poison, text, wall_);
    ++status_.skipped;
    finish(serial);
    return true;
  }
  give_up_link(FaultKind::Poison, text);
  return false;
}

void MqttOutbound::give_up_link(FaultKind kind, const std::string& text) {
  window_.rewind();
  dialer_.fault(kind, text, now_, wall_);
}

void MqttOutbound::finish(std::uint64_t serial) {
  if (const auto position = window_.done(serial)) settled_.push_back(*position);
}

void MqttOutbound::flush_settled() {
  if (settled_.empty()) return;
  bus_.settle(subscription_, settled_, Settle::Ack);
  settled_.clear();
}

}  // namespace marram
