// marram peer map
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/cli/commands.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/mesh_text.h"
#include "gateway/cli/status_text.h"

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  bool svg = false;
  bool json = false;
};

int draw(const Options& options) {
  auto connection = connect(options.connection);
  if (!connection) return complain(connection.error());
  const auto text = connection->client->status_json();
  if (!text) return complain(text.error());
  const auto status = parse_status(*text);
  if (!status) return complain(status.error());
  if (!status->contains("mesh")) {
    return complain({Errc::NotFound,
                     "peer: this node has no mesh (set mesh.listen or mesh.peers in its config)"});
  }
  if (options.json) {
    fmt::print("{}\n", (*status)["mesh"].value("map", nlohmann::json::array()).dump(2));
  } else {
    fmt::print("{}", options.svg ? map_svg(*status) : map_text(*status));
  }
  return kOk;
}

}  // namespace

void add_peer_map(CLI::App& peer, Action& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* map = peer.add_subcommand("map", "Draw the mesh as this node knows it");
  CLI::Option* svg = map->add_flag("--svg", options->svg, "As a picture, on standard output");
  map->add_flag("--json", options->json, "Print JSON")->excludes(svg);
  add_connection_options(*map, options->connection);
  map->callback([&chosen, options] { chosen = [options] { return draw(*options); }; });
}

}  // namespace marram::cli
