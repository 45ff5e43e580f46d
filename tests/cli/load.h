// Loads a configuration from text, as tests need it.
#pragma once

#include <string>
#include <vector>

#include "gateway/cli/config.h"
#include "tests/cli/temp_dir.h"

namespace marram::cli {

// Places in it begin with "m.toml:".
inline LoadedConfig load(const std::string& text, ConfigSources sources = {}) {
  const TempDir dir;
  sources.file = dir.write("m.toml", text);
  LoadedConfig loaded = load_config(sources);
  const std::string before = dir.path() + "/";
  const auto shorten = [&](std::string& from) {
    for (std::size_t at; (at = from.find(before)) != std::string::npos;) {
      from.erase(at, before.size());
    }
  };
  for (std::string& problem : loaded.report.problems) shorten(problem);
  for (EffectiveValue& value : loaded.report.effective) {
    shorten(value.source);
    shorten(value.value);
  }
  return loaded;
}

inline std::vector<std::string> problems(const std::string& text, ConfigSources sources = {}) {
  return load(text, std::move(sources)).report.problems;
}

// The only problem; else all of them, or "" for none.
inline std::string problem(const std::string& text, ConfigSources sources = {}) {
  std::string out;
  for (const std::string& one : problems(text, std::move(sources))) {
    out += (out.empty() ? "" : "\n") + one;
  }
  return out;
}

}  // namespace marram::cli
