// What SIGHUP does to a running daemon: checks the new configuration whole, applies
// what can be applied, and says what needs a restart; or keeps the old one.
//
// Applied: log.level, and the content of mqtt.users_file.
//
// Threads: one.
#pragma once

#include "gateway/cli/config.h"
#include "gateway/cli/daemon.h"
#include "gateway/cli/level_log.h"

namespace marram::cli {

// Keys whose values differ between two reports, as "node.name".
std::vector<std::string> changed_keys(const ConfigReport& before, const ConfigReport& after);

class ConfigReload {
 public:
  // `running` is what the daemon was started with.  All outlive this.
  ConfigReload(ConfigSources sources, ConfigReport running, LevelLog& log)
      : sources_(std::move(sources)), running_(std::move(running)), log_(log) {}

  // True when the new configuration is good; what it did is in the log.
  bool reload(Daemon& daemon);

 private:
  ConfigSources sources_;
  ConfigReport running_;
  LevelLog& log_;
};

}  // namespace marram::cli
