// What a daemon is told: the config file, then environment variables, then --set.
//
// docs/config.md describes every key; config.cc reads them in the same order.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/node/node.h"
#include "gateway/cli/config_section.h"
#include "gateway/connectors/route.h"
#include "gateway/mqtt/listener.h"

namespace marram::cli {

struct ConfigSources {
  std::string file;                                              // empty: none
  std::vector<std::pair<std::string, std::string>> environment;  // MARRAM_NODE__NAME = x
  std::vector<std::string> sets;                                 // node.name=x
};

// The environment of this process, as far as it speaks of keys.
std::vector<std::pair<std::string, std::string>> config_environment();

struct RouteConfig {
  RouteOptions options;  // user and password are empty
  std::optional<Secret> user;
  std::optional<Secret> password;
  std::string place;  // of the route in the file
};

struct LogOptions {
  LogFormat format = LogFormat::Auto;
  LogLevel level = LogLevel::Info;
};

struct Config {
  NodeOptions node;        // `log` is null
  mqtt::MqttOptions mqtt;  // `listen` empty: off; `log` is null
  std::vector<RouteConfig> routes;
  LogOptions log;
};

struct LoadedConfig {
  Config config;  // complete only without problems
  ConfigReport report;
};

// Reads all of it and reports every problem at once.
LoadedConfig load_config(const ConfigSources& sources);

// What only a look at other files can tell: the users file, certificates, whether the MQTT
// listener may listen where it is to, and with `secrets` the routes' secrets.
std::vector<std::string> deep_problems(const Config& config, bool secrets);

// Every key that load_config() knows: "node.name", "stream.retain.age".
std::vector<std::string> known_config_keys();

// Fetches the secrets that `route` names.  Errors: Config
Result<RouteOptions> with_secrets(const RouteConfig& route);

// The effective values as a TOML file whose comments say where each comes from,
// and as a JSON list of {section, key, value, source}.  Secrets are never in it.
std::string config_text(const ConfigReport& report);
std::string config_json(const ConfigReport& report);

}  // namespace marram::cli
