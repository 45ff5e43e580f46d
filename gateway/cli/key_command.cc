// marram key show | new
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/node/key_file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/config.h"
#include "gateway/cli/exit_code.h"

namespace marram::cli {

namespace {

struct Options {
  std::string config;
  std::vector<std::string> sets;
  std::string file;
  bool json = false;
};

Result<std::string> find_file(const Options& options) {
  if (!options.file.empty()) return options.file;
  const LoadedConfig loaded = load_config({options.config, config_environment(), options.sets});
  if (!loaded.report.problems.empty()) {
    return fail(Errc::Config, fmt::format("{}", fmt::join(loaded.report.problems, "\nmarram: ")));
  }
  std::string file = loaded.config.node.mesh.key_file.string();
  if (!file.empty()) return file;
  return fail(Errc::Config, "key: mesh.key_file is empty: this node has no key");
}

int print(const Options& options, const CurveKey& key) {
  if (options.json) {
    const nlohmann::ordered_json json = {{"public_key", key.public_key},
                                         {"node_id", node_id_of_key(key.public_key)}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}\n", key.public_key);
  }
  return kOk;
}

int run(const Options& options, Result<CurveKey> (*get)(const std::filesystem::path&)) {
  const auto file = find_file(options);
  if (!file) return complain(file.error());
  const auto key = get(*file);
  return key ? print(options, *key) : complain(key.error());
}

// The old one is another node's: whoever trusts it must be told.
int make(const Options& options) {
  const int code = run(options, make_key_file);
  if (code == kProblems) {
    fmt::print(stderr,
               "marram: the node with that key would be another one; to replace it, move the file "
               "away first\n");
  }
  return code;
}

}  // namespace

void add_key_command(CLI::App& app, Action& chosen) {
  CLI::App* key = app.add_subcommand("key", "Show or make the key that a node is known by");
  key->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* what, const std::function<int()>& action) {
    CLI::App* command = key->add_subcommand(name, what);
    command->add_option("-c,--config", options->config, "Config file of the node");
    command->add_option("--set", options->sets, "Override a key: node.data_dir=PATH")
        ->allow_extra_args(false);
    command->add_option("--file", options->file, "Key file (default: mesh.key_file)");
    command->add_flag("--json", options->json, "Print JSON, with the node's id");
    command->callback([&chosen, action] { chosen = action; });
  };
  add("show", "Print the public half, which peers trust",
      [options] { return run(*options, read_key_file); });
  add("new", "Make the key file; print the public half", [options] { return make(*options); });
}

}  // namespace marram::cli
