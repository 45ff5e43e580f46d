// marram route ls | show
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/cli/commands.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/status_text.h"

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  std::string name;
  bool json = false;
};

Result<nlohmann::json> fetch_status(const Options& options) {
  auto connection = connect(options.connection);
  if (!connection) return tl::unexpected(connection.error());
  const auto text = connection->client->status_json();
  if (!text) return tl::unexpected(text.error());
  return parse_status(*text);
}

int list(const Options& options) {
  const auto status = fetch_status(options);
  if (!status) return complain(status.error());
  if (options.json) {
    auto all = nlohmann::json::array();
    for (const auto& route : status->value("routes", nlohmann::json::array())) {
      all.push_back(find_route(*status, route.value("name", "")));
    }
    fmt::print("{}\n", all.dump(2));
  } else {
    fmt::print("{}", routes_text(*status));
  }
  return kOk;
}

int show(const Options& options) {
  const auto status = fetch_status(options);
  if (!status) return complain(status.error());
  const nlohmann::json route = find_route(*status, options.name);
  if (route.is_null()) {
    return complain({Errc::NotFound, fmt::format("route: there is no route \"{}\" (marram route ls "
                                                 "lists them)",
                                                 options.name)});
  }
  fmt::print("{}", options.json ? route.dump(2) + "\n" : route_text(route));
  return kOk;
}

}  // namespace

void add_route_command(CLI::App& app, Action& chosen) {
  CLI::App* route = app.add_subcommand("route", "List or show routes");
  route->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  CLI::App* ls = route->add_subcommand("ls", "List them: state, backlog, rate, time to drain");
  ls->add_flag("--json", options->json, "Print JSON");
  add_connection_options(*ls, options->connection);
  ls->callback([&chosen, options] { chosen = [options] { return list(*options); }; });
  CLI::App* one = route->add_subcommand("show", "Show everything about one");
  one->add_option("name", options->name, "Its name")->required();
  one->add_flag("--json", options->json, "Print JSON");
  add_connection_options(*one, options->connection);
  one->callback([&chosen, options] { chosen = [options] { return show(*options); }; });
}

}  // namespace marram::cli
