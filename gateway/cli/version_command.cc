// marram version
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "gateway/cli/commands.h"
#include "gateway/cli/exit_code.h"

namespace marram::cli {

void add_version_command(CLI::App& app, Action& chosen) {
  app.set_version_flag("--version", "marram " MARRAM_VERSION);
  CLI::App* command = app.add_subcommand("version", "Print the version");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([&chosen, json] {
    chosen = [json] {
      fmt::print(fmt::runtime(*json ? "{{\"version\":\"{}\"}}\n" : "marram {}\n"), MARRAM_VERSION);
      return kOk;
    };
  });
}

}  // namespace marram::cli
