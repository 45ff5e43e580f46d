// Keeps a route in touch with its broker: dials, waits, dials again, and pauses
// when the broker refuses the route.  It also keeps the part of the status that
// tells of it.
//
//     Connecting --LinkConnected--> Connected --fault(Retry)--> Connecting
//          \--------fault(Auth, Poison)--------> Paused --paused_for--> (dials)
//
// A pause ends with progress(), not with a connection: what was refused may be
// refused again.
//
// Threads: one.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "gateway/connectors/backoff.h"
#include "gateway/connectors/connector_config.h"
#include "gateway/connectors/mqtt_fault.h"
#include "gateway/connectors/mqtt_link.h"
#include "gateway/connectors/route_status.h"

namespace marram {

class MqttDialer {
 public:
  MqttDialer(const ConnectorConfig& config, const NodeIdentity& node, RouteStatus& status,
             MqttLink::OnMessage on_message);

  // Dials when it is time.
  void tick(TimePoint now, WallTime wall);
  std::optional<TimePoint> wake_at() const;

  // The link, dialling or connected; null in between.
  MqttLink* link() { return link_.get(); }
  bool connected() const { return connected_at_.has_value(); }

  void on_connected(TimePoint now, WallTime wall);
  // The other side has taken something: the next fault starts with a short wait.
  void progress();
  // Ends the link and says what to do then.
  void fault(FaultKind kind, const std::string& text, TimePoint now, WallTime wall);

 private:
  MqttLinkOptions options_;
  Duration paused_for_;
  Backoff backoff_;
  RouteStatus& status_;
  MqttLink::OnMessage on_message_;
  std::minstd_rand random_;
  std::unique_ptr<MqttLink> link_;
  std::optional<TimePoint> connected_at_;
  TimePoint dial_at_{};
  bool paused_ = false;
};

// Counts the fault and keeps its text as the last error.
void count_fault(RouteStatus& status, FaultKind kind, const std::string& text, WallTime wall);

}  // namespace marram
