// marram connector mqtt: the process of a route, started by the daemon alone.
#include <CLI/CLI.hpp>

#include "gateway/cli/commands.h"
#include "gateway/connectors/mqtt_connector.h"

namespace marram::cli {

void add_connector_command(CLI::App& app, Action& chosen) {
  CLI::App* connector = app.add_subcommand("connector", "A route's process")->group("");
  connector->require_subcommand(1);
  connector->add_subcommand("mqtt", "To or from an MQTT broker")->callback([&chosen] {
    chosen = run_mqtt_connector;
  });
}

}  // namespace marram::cli
