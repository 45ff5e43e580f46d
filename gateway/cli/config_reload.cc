#include "gateway/cli/config_reload.h"

#include <fmt/format.h>

#include <algorithm>

namespace marram::cli {

namespace {

constexpr std::string_view kLevelKey = "log.level";
constexpr std::string_view kTrustKey = "mesh.trust";

std::string key_of(const EffectiveValue& value) {
  return fmt::format("{}.{}", value.section, value.key);
}

const EffectiveValue* find(const ConfigReport& report, const EffectiveValue& wanted) {
  for (const EffectiveValue& value : report.effective) {
    if (value.section == wanted.section && value.key == wanted.key) return &value;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> changed_keys(const ConfigReport& before, const ConfigReport& after) {
  std::vector<std::string> keys;
  for (const EffectiveValue& value : after.effective) {
    const EffectiveValue* old = find(before, value);
    if (old == nullptr || old->value != value.value) keys.push_back(key_of(value));
  }
  for (const EffectiveValue& value : before.effective) {
    if (find(after, value) == nullptr) keys.push_back(key_of(value));
  }
  return keys;
}

bool ConfigReload::reload(Daemon& daemon) {
  const LoadedConfig loaded = load_config(sources_);
  std::vector<std::string> problems = loaded.report.problems;
  if (problems.empty()) problems = deep_problems(loaded.config, true);
  if (problems.empty() && daemon.listener() != nullptr) {
    const auto status = daemon.listener()->reload_users();
    if (!status) problems.push_back(status.error().message);
  }
  bool trust_set = false;
  if (problems.empty() && loaded.config.node.mesh.on()) {
    const auto status = daemon.node().set_trusted_keys(loaded.config.node.mesh.trust);
    trust_set = status.has_value();
    // A mesh that is new in the file comes with a restart, as its other keys do.
    if (!status && status.error().code != Errc::Unsupported) {
      problems.push_back(status.error().message);
    }
  }
  if (!problems.empty()) {
    for (const std::string& problem : problems) log_.error("config", problem);
    log_.error("config", "not reloaded: everything stays as it was");
    return false;
  }
  log_.set_least(loaded.config.log.level);
  std::vector<std::string> later = changed_keys(running_, loaded.report);
  std::erase(later, kLevelKey);
  if (trust_set) std::erase(later, kTrustKey);
  if (later.empty()) {
    log_.info("config", "reloaded");
  } else {
    log_.warn("config", "reloaded; some changes take effect after a restart",
              {{"keys", fmt::format("{}", fmt::join(later, " "))}});
  }
  return true;
}

}  // namespace marram::cli
