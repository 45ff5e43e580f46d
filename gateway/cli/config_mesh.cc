#include "gateway/cli/config_mesh.h"

#include <fmt/format.h>

#include "core/event/topic.h"
#include "core/node/beacon_socket.h"
#include "core/node/key_file.h"
#include "core/node/trust_store.h"
#include "core/wire/address.h"
#include "core/wire/link_frames.h"

namespace marram::cli {

namespace {

// Whether all are addresses, and links to them may be what they are.
void check_addresses(Section& section, std::string_view key,
                     const std::vector<std::string>& addresses, bool plain_stays) {
  for (const std::string& text : addresses) {
    const auto address = wire::parse_address(fmt::format("mesh.{}", key), text);
    if (!address) {
      section.rejected(key, address.error());
    } else if (plain_stays && !address->is_ipc() && !address->is_loopback()) {
      section.problem(key, fmt::format("has {}, beyond loopback, where links need keys: set "
                                       "mesh.key_file (mesh.insecure = true is for a lab)",
                                       text));
    }
  }
}

void check_trust(Section& section, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (is_curve_key(key)) continue;
    section.problem("trust", fmt::format("has \"{}\", which is no public key (40 characters, as "
                                         "marram key show prints)",
                                         key));
  }
}

void check_carry(Section& section, const MeshNodeOptions& mesh, const Limits& limits) {
  for (const std::string& stream : mesh.carry) {
    if (stream == "*") continue;
    const auto status = check_name("mesh.carry", stream, limits);
    if (!status) section.rejected("carry", status.error());
  }
}

void check_beacon_use(Section& section, const MeshNodeOptions& mesh) {
  // A wrong address of `listen` has been told already.
  for (const std::string& text : mesh.listen) {
    if (!wire::parse_address("mesh.listen", text)) return;
  }
  const auto status = check_beacon(mesh);
  if (!status) section.rejected("beacon", status.error());
}

}  // namespace

void read_mesh(Section section, NodeOptions& out) {
  MeshNodeOptions& mesh = out.mesh;
  section.texts("listen", mesh.listen);
  section.texts("peers", mesh.peers);
  section.texts("advertise", mesh.advertise);
  std::string key_file = (out.data_dir / "node.key").string();
  section.path("key_file", key_file);
  mesh.key_file = key_file;
  section.texts("trust", mesh.trust);
  std::string trust_dir = (out.data_dir / "trusted").string();
  section.path("trust_dir", trust_dir);
  mesh.trust_dir = trust_dir;
  section.boolean("insecure", mesh.insecure);
  section.texts("carry", mesh.carry);
  section.boolean("beacon", mesh.beacon);
  section.text("beacon_group", mesh.beacon_group);
  section.texts("beacon_interfaces", mesh.beacon_interfaces);
  const bool plain_stays = !mesh.secure() && !mesh.insecure;
  check_addresses(section, "listen", mesh.listen, plain_stays);
  check_addresses(section, "peers", mesh.peers, plain_stays);
  check_addresses(section, "advertise", mesh.advertise, false);
  if (mesh.advertise.size() > wire::kAddressesMax) {
    section.problem("advertise", fmt::format("has more than {} addresses", wire::kAddressesMax));
  }
  check_trust(section, mesh.trust);
  check_carry(section, mesh, out.limits);
  check_beacon_use(section, mesh);
  section.finish();
}

std::vector<std::string> mesh_problems(const MeshNodeOptions& mesh) {
  std::vector<std::string> problems;
  if (!mesh.on()) return problems;
  if (mesh.secure()) {
    const auto key = read_key_file(mesh.key_file);
    const bool made_at_start = !key && key.error().code == Errc::NotFound;
    if (!key && !made_at_start) problems.push_back(key.error().message);
  }
  if (const auto trusted = read_trust_folder(mesh.trust_dir); !trusted) {
    problems.push_back(trusted.error().message);
  } else {
    for (const auto& file : trusted->broken) problems.push_back(file.why);
  }
  return problems;
}

}  // namespace marram::cli
