// The program `marram`: finds the command that is meant, runs it, ends with its code.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "gateway/cli/commands.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/suggest.h"

namespace {

using namespace marram::cli;

// In the order in which --help lists them.
constexpr std::array<AddCommand, 15> kCommands = {
    add_run_command,     add_pub_command,       add_sub_command,    add_status_command,
    add_route_command,   add_consumer_command,  add_peer_command,   add_key_command,
    add_config_command,  add_mqtt_command,      add_demo_command,   add_drill_command,
    add_version_command, add_connector_command, add_device_command,
};

// "marram statsu": CLI11 would only say that the word was not expected.
bool is_unknown_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == word) return false;
    if (!command->get_group().empty()) known.push_back(command->get_name());
  }
  const std::string_view near = nearest(word, known);
  const std::string hint = near.empty() ? fmt::format("known: {}", fmt::join(known, ", "))
                                        : fmt::format("did you mean \"{}\"?", near);
  fmt::print(stderr, "marram: unknown command \"{}\" ({})\n", word, hint);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Marram: an event mesh for the edge.", "marram"};
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  Action chosen;
  for (const AddCommand add : kCommands) add(app, chosen);

  if (argc > 1 && argv[1][0] != '-' && is_unknown_command(app, argv[1])) return kUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return chosen ? chosen() : kUsage;
}
