// The process of one MQTT route: `marram connector mqtt`, started by RouteSupervisor.
//
// Configuration: one line of JSON on standard input (connector_config.h), which
// then stays open; its end, SIGTERM, or the death of the parent ends the process.
// Status: lines of JSON on standard output (route_status.h).
#pragma once

namespace marram {

// Runs until told to stop.  Returns the exit code: 0 stopped, 75 start again
// later, 78 no usable configuration.
//
// Does not return where a thread of Paho's cannot be ended; call it as the last thing in main().
int run_mqtt_connector();

}  // namespace marram
