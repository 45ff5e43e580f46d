// The parts of `marram run`: a node, its MQTT listener, its routes, in that order.
//
// Threads: the one that made it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/node/node.h"
#include "gateway/cli/config.h"
#include "gateway/connectors/supervisor.h"
#include "gateway/mqtt/listener.h"

namespace marram::cli {

class Daemon {
 public:
  // `routes` are those of the config, with their secrets.  `log` outlives the daemon.
  //
  // Errors: as Node::open() and MqttListener::open()
  static Result<std::unique_ptr<Daemon>> open(const Config& config,
                                              std::vector<RouteOptions> routes, Log& log);
  ~Daemon();

  Node& node() { return *node_; }
  mqtt::MqttListener* listener() { return listener_.get(); }

  // Where it can be reached: "ipc://... mqtt://...".
  std::string endpoints() const;

  // Takes no more, ends the routes, commits, checkpoints.  Idempotent.
  void close();

 private:
  class MqttReport;
  class RoutesReport;

  Daemon() = default;

  std::unique_ptr<Node> node_;
  std::unique_ptr<mqtt::MqttListener> listener_;
  std::unique_ptr<RouteSupervisor> routes_;
  std::unique_ptr<Node::Reporter> mqtt_report_;
  std::unique_ptr<Node::Reporter> routes_report_;
};

}  // namespace marram::cli
