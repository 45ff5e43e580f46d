// What the supervisor writes to a connector's standard input: one line of JSON.
// Secrets travel this way only, never in arguments or environment.
#pragma once

#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "gateway/connectors/route.h"

namespace marram {

struct ConnectorConfig {
  RouteOptions route;
  std::string endpoint;  // of the node
  Duration redial_least = std::chrono::milliseconds(200);
  Duration redial_most = std::chrono::seconds(30);
  Duration paused_for = std::chrono::seconds(60);  // then a paused route tries once more
};

std::string config_line(const ConnectorConfig& config);  // without the newline
// Errors: Protocol  not such a line
Result<ConnectorConfig> parse_config_line(std::string_view line);

}  // namespace marram
