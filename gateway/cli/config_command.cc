// marram config check | show
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "gateway/cli/commands.h"
#include "gateway/cli/config.h"
#include "gateway/cli/exit_code.h"

namespace marram::cli {

namespace {

struct Options {
  std::string file;
  std::vector<std::string> sets;
  bool secrets = false;
  bool json = false;
};

LoadedConfig load(const Options& options) {
  LoadedConfig loaded = load_config({options.file, config_environment(), options.sets});
  for (const std::string& problem : loaded.report.problems) fmt::print(stderr, "{}\n", problem);
  return loaded;
}

int check(const Options& options) {
  const LoadedConfig loaded = load(options);
  std::size_t problems = loaded.report.problems.size();
  if (problems == 0) {
    for (const std::string& problem : deep_problems(loaded.config, options.secrets)) {
      fmt::print(stderr, "{}\n", problem);
      ++problems;
    }
  }
  const std::string name = options.file.empty() ? "the configuration" : options.file;
  if (problems == 0) {
    fmt::print("{} is good\n", name);
    return kOk;
  }
  fmt::print(stderr, "{}: {} {}\n", name, problems, problems == 1 ? "problem" : "problems");
  return kConfig;
}

int show(const Options& options) {
  const LoadedConfig loaded = load(options);
  if (!loaded.report.problems.empty()) return kConfig;
  if (options.json) {
    fmt::print("{}\n", config_json(loaded.report));
  } else {
    fmt::print("{}", config_text(loaded.report));
  }
  return kOk;
}

}  // namespace

void add_config_command(CLI::App& app, Action& chosen) {
  CLI::App* config = app.add_subcommand("config", "Check or show the configuration");
  config->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* what, int (*run)(const Options&)) {
    CLI::App* command = config->add_subcommand(name, what);
    command->add_option("-c,--config", options->file, "Config file");
    command->add_option("--set", options->sets, "Override a key: node.name=gw-3")
        ->allow_extra_args(false);
    command->callback([&chosen, options, run] { chosen = [=] { return run(*options); }; });
    return command;
  };
  add("check", "Say everything that is wrong, with file:line:column", check)
      ->add_flag("--secrets", options->secrets, "Fetch the secrets of routes, too");
  add("show", "Print every key with its value and where it comes from", show)
      ->add_flag("--json", options->json, "Print JSON");
}

}  // namespace marram::cli
