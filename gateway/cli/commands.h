// The commands of `marram`, one function each.
//
// A function adds its subcommand and options to the app.  When its subcommand is
// what the user typed, `chosen` is set to what then runs and gives the exit
// code.  Nothing happens while the line is parsed.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace marram::cli {

using Action = std::function<int()>;
using AddCommand = void (*)(CLI::App& app, Action& chosen);

void add_run_command(CLI::App& app, Action& chosen);
void add_pub_command(CLI::App& app, Action& chosen);
void add_sub_command(CLI::App& app, Action& chosen);
void add_status_command(CLI::App& app, Action& chosen);
void add_route_command(CLI::App& app, Action& chosen);
void add_consumer_command(CLI::App& app, Action& chosen);
void add_peer_command(CLI::App& app, Action& chosen);
void add_key_command(CLI::App& app, Action& chosen);
void add_config_command(CLI::App& app, Action& chosen);
void add_demo_command(CLI::App& app, Action& chosen);
void add_drill_command(CLI::App& app, Action& chosen);
void add_mqtt_command(CLI::App& app, Action& chosen);
// Of `marram peer`.
void add_peer_map(CLI::App& peer, Action& chosen);
void add_version_command(CLI::App& app, Action& chosen);
void add_connector_command(CLI::App& app, Action& chosen);  // hidden: a route's child process
void add_device_command(CLI::App& app, Action& chosen);     // hidden: of demo and drill

}  // namespace marram::cli
