// marram peer ls | map | trust | revoke
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/node/key_file.h"
#include "core/node/trust_store.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/config.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/status_text.h"
#include "gateway/cli/table.h"

namespace marram::cli {

namespace {

struct Options {
  ConnectionOptions connection;
  std::string which;  // a key; to revoke also a name or node id
  std::string name;
  bool json = false;
};

// Somebody who may connect.
struct Peer {
  std::string name;
  std::string key;
  std::string from;  // where that is written
};

Result<MeshNodeOptions> mesh_of(const Options& options) {
  const LoadedConfig loaded =
      load_config({options.connection.config, config_environment(), options.connection.sets});
  if (loaded.report.problems.empty()) return loaded.config.node.mesh;
  return fail(Errc::Config, fmt::format("{}", fmt::join(loaded.report.problems, "\nmarram: ")));
}

Result<MeshNodeOptions> with_folder(const Options& options) {
  auto mesh = mesh_of(options);
  if (!mesh || !mesh->trust_dir.empty()) return mesh;
  return fail(Errc::Config,
              "peer: mesh.trust_dir is empty: keys of peers have no place to be kept "
              "(set it, or list them in mesh.trust)");
}

void warn_of(const TrustFolder& folder) {
  for (const auto& file : folder.broken) {
    fmt::print(stderr, "marram: {}; until then nobody is trusted by it\n", file.why);
  }
}

Result<std::vector<Peer>> peers_of(const MeshNodeOptions& mesh) {
  std::vector<Peer> peers;
  peers.reserve(mesh.trust.size());
  for (const std::string& key : mesh.trust) peers.push_back({"", key, "mesh.trust"});
  const auto files = read_trust_folder(mesh.trust_dir);
  if (!files) return tl::unexpected(files.error());
  warn_of(*files);
  for (const TrustedKey& file : files->keys) {
    peers.push_back({file.name, file.key, mesh.trust_dir.string()});
  }
  return peers;
}

// The links of the running node by peer, and whom it only hears; without one none.
std::map<std::string, nlohmann::json> links_of(const Options& options) {
  std::map<std::string, nlohmann::json> links;
  auto connection = connect(options.connection);
  if (!connection) {
    fmt::print(stderr, "marram: no running node was asked: {}\n", connection.error().message);
    return links;
  }
  const auto text = connection->client->status_json();
  const auto status = text ? parse_status(*text) : Result<nlohmann::json>(nlohmann::json());
  if (!status || !status->contains("mesh")) return links;
  for (const auto& link : (*status)["mesh"].value("links", nlohmann::json::array())) {
    links[link.value("peer", "")] = link;
  }
  const auto beacon = (*status)["mesh"].value("beacon", nlohmann::json::object());
  for (const auto& heard : beacon.value("heard", nlohmann::json::array())) {
    links.emplace(heard.value("peer", ""), heard);
  }
  return links;
}

int list(const Options& options) {
  const auto mesh = mesh_of(options);
  if (!mesh) return complain(mesh.error());
  const auto peers = peers_of(*mesh);
  if (!peers) return complain(peers.error());
  const auto links = links_of(options);
  Table table({"name", "node id", "key", "link", "address", "trusted by"});
  auto all = nlohmann::ordered_json::array();
  for (const Peer& peer : *peers) {
    const std::string id = node_id_of_key(peer.key);
    const auto link = links.find(id);
    const bool known = link != links.end();
    const std::string state = known ? link->second.value("state", "heard") : "-";
    const bool up = state == "up";
    const std::string name = !peer.name.empty() || !up ? peer.name : link->second.value("name", "");
    const std::string address = known ? link->second.value("address", "") : "";
    table.add({name.empty() ? "-" : name, id, peer.key, state, address.empty() ? "-" : address,
               peer.from});
    all.push_back({{"name", name},
                   {"node_id", id},
                   {"key", peer.key},
                   {"connected", up},
                   {"heard", state == "heard"},
                   {"address", address},
                   {"trusted_by", peer.from}});
  }
  if (options.json) {
    fmt::print("{}\n", all.dump(2));
  } else {
    fmt::print("{}", table.text());
  }
  return kOk;
}

// Who has a key that may be trusted: its id.
Result<std::string> newcomer(const MeshNodeOptions& mesh, const std::string& key) {
  std::string id = node_id_of_key(key);
  if (id.empty()) {
    return fail(Errc::Invalid, fmt::format("peer: \"{}\" is no public key (40 characters, as "
                                           "marram key show prints there; in quotes)",
                                           key));
  }
  const auto own =
      mesh.key_file.empty() ? Result<CurveKey>(CurveKey{}) : read_key_file(mesh.key_file);
  if (!own || own->public_key != key) return id;
  return fail(Errc::Invalid, fmt::format("peer: {} is this node's own key (trust that of the other "
                                         "node: marram key show there)",
                                         key));
}

// Where a key is trusted, but for the file of `name`.
std::vector<std::string> names_of(const MeshNodeOptions& mesh, const TrustFolder& folder,
                                  const std::string& key, const std::string& name) {
  std::vector<std::string> names;
  if (std::ranges::find(mesh.trust, key) != mesh.trust.end()) names.push_back("mesh.trust");
  for (const TrustedKey& file : folder.keys) {
    if (file.key == key && file.name != name) names.push_back(file.name);
  }
  return names;
}

int trust(const Options& options) {
  const auto mesh = with_folder(options);
  if (!mesh) return complain(mesh.error());
  const auto id = newcomer(*mesh, options.which);
  if (!id) return complain(id.error());
  const auto folder = read_trust_folder(mesh->trust_dir);
  if (!folder) return complain(folder.error());
  warn_of(*folder);
  const std::string name = options.name.empty() ? *id : options.name;
  const auto others = names_of(*mesh, *folder, options.which, name);
  if (options.name.empty() && !others.empty()) {
    fmt::print("{} is trusted already, as {}\n", *id, fmt::join(others, ", "));
    return kOk;
  }
  if (auto status = trust_key(mesh->trust_dir, name, options.which); !status) {
    return complain(status.error());
  }
  const auto file = std::filesystem::absolute(mesh->trust_dir / (name + ".pub"));
  fmt::print("{} is trusted: {}\n", *id, file.string());
  if (!others.empty()) fmt::print("it is trusted as {} too\n", fmt::join(others, ", "));
  return kOk;
}

constexpr const char* kTakeOut = "take it out there, then reload the node with SIGHUP";

Error still_configured(const std::string& who) {
  return {Errc::Refused, fmt::format("peer: {} is trusted by mesh.trust of the configuration ({})",
                                     who, kTakeOut)};
}

// The folder has nobody of that name; a key of mesh.trust has one only while there is a link.
Error nobody(const Options& options, const MeshNodeOptions& mesh, const Error& why) {
  if (why.code != Errc::NotFound || mesh.trust.empty()) return why;
  const auto links = links_of(options);
  for (const std::string& key : mesh.trust) {
    const auto link = links.find(node_id_of_key(key));
    if (link == links.end() || link->second.value("name", "") != options.which) continue;
    return still_configured(fmt::format("{}, with the key {},", options.which, key));
  }
  return {why.code, fmt::format("{}; if its key is in mesh.trust of the configuration: {}",
                                why.message, kTakeOut)};
}

// What is left of a key, and how it goes.
void tell_left(const std::string& which, const TrustedKey& removed,
               const std::vector<std::string>& names, bool configured) {
  std::vector<std::string> where;
  if (!names.empty()) {
    where.push_back(fmt::format("as {}{}", fmt::join(names, ", "),
                                configured ? ""
                                           : fmt::format(" (marram peer revoke {} removes every "
                                                         "name)",
                                                         node_id_of_key(removed.key))));
  }
  if (configured) {
    where.push_back(fmt::format("by mesh.trust of the configuration ({})", kTakeOut));
  }
  fmt::print(stderr, "marram: {} is removed, but its key is still trusted {}\n", which,
             fmt::join(where, ", and "));
}

int revoke(const Options& options) {
  const auto mesh = with_folder(options);
  if (!mesh) return complain(mesh.error());
  for (const std::string& key : mesh->trust) {
    if (key != options.which && node_id_of_key(key) != options.which) continue;
    return complain(still_configured(key));
  }
  const auto done = revoke_key(mesh->trust_dir, options.which);
  if (!done) return complain(nobody(options, *mesh, done.error()));
  for (const TrustedKey& file : done->removed) {
    const bool configured = std::ranges::find(mesh->trust, file.key) != mesh->trust.end();
    const auto names = names_of({}, {.keys = done->left, .broken = {}}, file.key, "");
    if (names.empty() && !configured) continue;
    tell_left(options.which, file, names, configured);
    return kProblems;
  }
  fmt::print("{} is trusted no longer\n", options.which);
  return kOk;
}

CLI::App* add(CLI::App* peer, const char* name, const char* what, Options& options) {
  CLI::App* command = peer->add_subcommand(name, what);
  command->add_option("-c,--config", options.connection.config, "Config file of the node");
  command->add_option("--set", options.connection.sets, "Override a key: node.data_dir=PATH")
      ->allow_extra_args(false);
  return command;
}

}  // namespace

void add_peer_command(CLI::App& app, Action& chosen) {
  CLI::App* peer = app.add_subcommand("peer", "Trust other nodes, or no longer");
  peer->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  CLI::App* ls = peer->add_subcommand("ls", "List who is trusted, and who is connected");
  ls->add_flag("--json", options->json, "Print JSON");
  add_connection_options(*ls, options->connection);
  ls->callback([&chosen, options] { chosen = [options] { return list(*options); }; });
  CLI::App* more = add(peer, "trust", "Let a node connect, also a running one's", *options);
  more->add_option("key", options->which, "Its public key (marram key show)")->required();
  more->add_option("--name", options->name, "What to call it here (default: its node id)");
  add_peer_map(*peer, chosen);
  more->callback([&chosen, options] { chosen = [options] { return trust(*options); }; });
  CLI::App* less = add(peer, "revoke", "End its sessions, and let it connect no more", *options);
  less->add_option("peer", options->which, "Its name here, node id or public key")->required();
  less->callback([&chosen, options] { chosen = [options] { return revoke(*options); }; });
}

}  // namespace marram::cli
