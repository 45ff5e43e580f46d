#include "gateway/cli/daemon.h"

#include <fmt/format.h>

namespace marram::cli {

class Daemon::MqttReport : public Node::Reporter {
 public:
  explicit MqttReport(mqtt::MqttListener& listener) : listener_(listener) {}
  std::string report_json() override { return listener_.report_json(); }

 private:
  mqtt::MqttListener& listener_;
};

class Daemon::RoutesReport : public Node::Reporter {
 public:
  explicit RoutesReport(RouteSupervisor& routes) : routes_(routes) {}
  std::string report_json() override { return routes_.report_json(); }

 private:
  RouteSupervisor& routes_;
};

Result<std::unique_ptr<Daemon>> Daemon::open(const Config& config, std::vector<RouteOptions> routes,
                                             Log& log) {
  std::unique_ptr<Daemon> daemon(new Daemon());
  NodeOptions node_options = config.node;
  node_options.log = &log;
  auto node = Node::open(std::move(node_options));
  if (!node) return tl::unexpected(node.error());
  daemon->node_ = std::move(*node);

  if (!config.mqtt.listen.empty()) {
    mqtt::MqttOptions mqtt_options = config.mqtt;
    mqtt_options.log = &log;
    auto listener = mqtt::MqttListener::open(std::move(mqtt_options), *daemon->node_);
    if (!listener) return tl::unexpected(listener.error());
    daemon->listener_ = std::move(*listener);
    daemon->mqtt_report_ = std::make_unique<MqttReport>(*daemon->listener_);
    daemon->node_->add_reporter("mqtt", *daemon->mqtt_report_);
  }
  if (!routes.empty()) {
    daemon->routes_ = RouteSupervisor::start(
        {.endpoint = daemon->node_->endpoints().front(), .log = &log}, std::move(routes));
    daemon->routes_report_ = std::make_unique<RoutesReport>(*daemon->routes_);
    daemon->node_->add_reporter("routes", *daemon->routes_report_);
  }
  return daemon;
}

Daemon::~Daemon() { close(); }

std::string Daemon::endpoints() const {
  std::vector<std::string> all = node_->endpoints();
  for (const std::string& endpoint : node_->mesh_endpoints()) all.push_back(endpoint);
  if (listener_) {
    for (const std::string& endpoint : listener_->endpoints()) all.push_back(endpoint);
  }
  return fmt::format("{}", fmt::join(all, " "));
}

void Daemon::close() {
  if (!node_) return;
  node_->remove_reporter("mqtt");
  node_->remove_reporter("routes");
  if (listener_) listener_->close();
  if (routes_) routes_->close();
  routes_.reset();
  listener_.reset();
  node_->close();
  node_.reset();
}

}  // namespace marram::cli
