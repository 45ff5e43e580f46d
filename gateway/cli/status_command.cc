// marram status
#include <fmt/format.h>
#include <poll.h>
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/cli/commands.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/signals.h"
#include "gateway/cli/status_text.h"

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  double watch_s = 0;
  bool json = false;
};

Status print(Client& client, const Options& options) {
  const auto text = client.status_json();
  if (!text) return tl::unexpected(text.error());
  const auto status = parse_status(*text);
  if (!status) return tl::unexpected(status.error());
  const bool watch = options.watch_s > 0;
  if (options.json) {
    fmt::print("{}\n", status->dump(watch ? -1 : 2));
  } else {
    constexpr const char* kHomeAndClear = "\x1b[H\x1b[2J";
    fmt::print("{}{}", watch ? kHomeAndClear : "", status_text(*status));
  }
  std::fflush(stdout);
  return {};
}

int status(const Options& options) {
  const SignalQueue signals({SIGINT, SIGTERM});
  auto connection = connect(options.connection);
  if (!connection) return complain(connection.error());
  for (;;) {
    if (auto printed = print(*connection->client, options); !printed) {
      return complain(printed.error());
    }
    if (options.watch_s <= 0) return kOk;
    pollfd stop{signals.fd(), POLLIN, 0};
    if (::poll(&stop, 1, static_cast<int>(std::lround(options.watch_s * 1000))) != 0) return kOk;
  }
}

}  // namespace

void add_status_command(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("status", "Show store, consumers and routes of a node");
  const auto options = std::make_shared<Options>();
  command->add_flag("--json", options->json, "Print JSON; with --watch a line each time");
  command->add_option("--watch", options->watch_s, "Again every so many seconds")
      ->expected(0, 1)
      ->default_str("1")
      ->check(CLI::Range(0.1, 3600.0));
  add_connection_options(*command, options->connection);
  command->callback([&chosen, options] { chosen = [options] { return status(*options); }; });
}

}  // namespace marram::cli
