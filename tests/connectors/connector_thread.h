// A connector that runs on a thread of the test, against any Bus.
#pragma once

#include <memory>
#include <thread>

#include "core/base/mailbox.h"
#include "gateway/connectors/connector_config.h"
#include "gateway/connectors/mqtt_inbound.h"
#include "gateway/connectors/mqtt_outbound.h"

namespace marram::test {

template <class Connector>
class ConnectorThread {
 public:
  ConnectorThread(Bus& bus, const ConnectorConfig& config)
      : host_{.stop_fds = {stop_.fd()},
              .report =
                  [this](const RouteStatus& status) {
                    status_.with([&](RouteStatus& kept) { kept = status; });
                  }},
        connector_(std::make_unique<Connector>(bus, NodeIdentity{"gw", "node-a"}, config, host_)),
        thread_([this] { result_ = connector_->run(); }) {}
  ~ConnectorThread() { stop(); }

  void stop() {
    stop_.signal();
    if (thread_.joinable()) thread_.join();
    connector_.reset();
  }
  RouteStatus status() {
    return status_.with([](RouteStatus& kept) { return kept; });
  }

 private:
  Signal stop_;
  Guarded<RouteStatus> status_;
  ConnectorHost host_;
  std::unique_ptr<Connector> connector_;
  Status result_;
  std::thread thread_;
};

using Outbound = ConnectorThread<MqttOutbound>;
using Inbound = ConnectorThread<MqttInbound>;

}  // namespace marram::test
