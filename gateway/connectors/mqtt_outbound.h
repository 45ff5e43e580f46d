// A route out: from the durable consumer "route:NAME" to a broker outside.
//
// The broker's PUBACK, and nothing else, settles an event.  What is in flight
// when a connection is lost is sent again, in order, over the next one.
//
// Threads: one, besides Paho's.
#pragma once

#include <vector>

#include "core/event/bus.h"
#include "gateway/connectors/connector_host.h"
#include "gateway/connectors/mqtt_dialer.h"
#include "gateway/connectors/outbound_window.h"

namespace marram {

class MqttOutbound {
 public:
  // `bus` and `host` outlive it.
  MqttOutbound(Bus& bus, NodeIdentity node, const ConnectorConfig& config,
               const ConnectorHost& host);
  ~MqttOutbound();

  // Until the host says stop.
  // Errors: what ended the subscription: the node is gone, or another has taken over
  Status run();

 private:
  bool take_notices();
  void on_gap(const Gap& gap);
  bool take_link_events();
  void on(const LinkConnected& event);
  void on(const LinkLost& event);
  void on(const LinkAcked& event);
  void on(const LinkRefused& event);
  void on(const LinkSubscribed&) {}

  void send_waiting();
  // False: the connection was ended, or is not there.
  bool send(const OutboundWindow::Item& item);
  bool poison(std::uint64_t serial, const std::string& why, bool certain);
  void give_up_link(FaultKind kind, const std::string& text);
  void finish(std::uint64_t serial);
  void flush_settled();
  void look_at_clock();

  Bus& bus_;
  const NodeIdentity node_;
  const ConnectorConfig config_;
  RouteStatus status_;
  MqttDialer dialer_;
  OutboundWindow window_;
  StatusReporter reporter_;
  const ConnectorHost& host_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  SubscriptionId subscription_ = 0;
  bool filters_told_ = false;
  std::size_t packet_bytes_max_ = 0;  // of this broker
  std::vector<Position> settled_;
  std::vector<Notice> notices_;
  std::vector<LinkEvent> events_;
  std::optional<Error> ended_;
  TimePoint now_{};
  WallTime wall_{};
};

}  // namespace marram
