#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "core/node/key_file.h"
#include "gateway/cli/config_mesh.h"
#include "tests/cli/load.h"

namespace marram::cli {

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("cli/config_mesh");

TEST_CASE("a mesh is read whole") {
  const std::string key = make_curve_key().public_key;
  const LoadedConfig loaded = load(R"([mesh]
listen = ["tcp://0.0.0.0:7400", "ipc:///run/marram/mesh.sock"]
peers = "tcp://hub:7400"
key_file = "keys/node.key"
trust = [")" + key + R"("]
trust_dir = "peers"
advertise = ["tcp://hub.example:7400"]
carry = ["events", "alarms"]
beacon = true
beacon_group = "239.1.2.3:4000"
beacon_interfaces = "eth0"
)");

  CHECK(loaded.report.problems.empty());
  const MeshNodeOptions& mesh = loaded.config.node.mesh;
  CHECK(mesh.listen.size() == 2);
  CHECK(mesh.peers == std::vector<std::string>{"tcp://hub:7400"});
  CHECK(mesh.key_file.parent_path().filename() == "keys");
  CHECK(mesh.trust == std::vector<std::string>{key});
  CHECK(mesh.trust_dir.filename() == "peers");
  CHECK(mesh.advertise == std::vector<std::string>{"tcp://hub.example:7400"});
  CHECK(mesh.carry == std::vector<std::string>{"events", "alarms"});
  CHECK(mesh.beacon);
  CHECK(mesh.beacon_group == "239.1.2.3:4000");
  CHECK(mesh.beacon_interfaces == std::vector<std::string>{"eth0"});
  CHECK(mesh.on());
  CHECK(mesh.secure());
}

TEST_CASE("a beacon that can be of no use, or would dial strangers, is refused") {
  const std::string on = "[mesh]\nbeacon = true\n";
  const std::string anywhere = "listen = [\"tcp://0.0.0.0:7400\"]\n";
  const std::string here = "listen = [\"tcp://127.0.0.1:7400\"]\n";
  CHECK(problem(on + anywhere).empty());
  CHECK(has(problem(on),
            "m.toml:2:10: mesh.beacon says where this node listens, and mesh.listen "
            "has no tcp address"));
  CHECK(has(problem(on + "listen = [\"ipc:///run/m.sock\"]\n"), "has no tcp address"));
  CHECK(has(problem(on + here), "mesh.listen has only loopback addresses"));
  CHECK(problem(on + here + "beacon_interfaces = [\"127.0.0.1\"]\n").empty());
  CHECK(problem(on + here + "beacon_interfaces = \"lo\"\n").empty());
  CHECK(has(problem(on + anywhere + "insecure = true\n"), "so links need keys"));
  CHECK(has(problem(on + "key_file = \"\"\n" + here), "so links need keys"));
  for (const std::string group : {"", "239.1.2.3", "239.1.2.3:", "239.1.2.3:0", "239.1.2.3:70000",
                                  "224.0.0.1:7420", "10.0.0.1:7420", "hub:7420"}) {
    CAPTURE(group);
    const std::string text = fmt::format("{}{}beacon_group = \"{}\"\n", on, anywhere, group);
    CHECK(has(problem(text), "not a multicast address of 239.0.0.0/8 and a port"));
  }
  CHECK(problem("[mesh]\n" + here).empty());
}

TEST_CASE("without [mesh] there is none, and its key would be in the data folder") {
  const LoadedConfig loaded = load("[node]\ndata_dir = \"/var/lib/marram\"\n");

  CHECK_FALSE(loaded.config.node.mesh.on());
  CHECK(loaded.config.node.mesh.key_file == "/var/lib/marram/node.key");
  CHECK(loaded.config.node.mesh.trust_dir == "/var/lib/marram/trusted");
}

TEST_CASE("links beyond loopback need keys, or to be called insecure") {
  const std::string said =
      ", beyond loopback, where links need keys: set mesh.key_file "
      "(mesh.insecure = true is for a lab)";
  CHECK(problem("[mesh]\nkey_file = \"\"\nlisten = [\"tcp://0.0.0.0:7400\"]\n") ==
        "m.toml:3:10: mesh.listen has tcp://0.0.0.0:7400" + said);
  CHECK(problem("[mesh]\nkey_file = \"\"\npeers = [\"tcp://hub:7400\"]\n") ==
        "m.toml:3:9: mesh.peers has tcp://hub:7400" + said);

  CHECK(problem("[mesh]\nkey_file = \"\"\nlisten = [\"tcp://127.0.0.1:7400\"]\n").empty());
  CHECK(problem("[mesh]\nkey_file = \"\"\nlisten = [\"ipc:///run/m.sock\"]\n").empty());
  CHECK(problem("[mesh]\ninsecure = true\nlisten = [\"tcp://0.0.0.0:7400\"]\n").empty());
}

TEST_CASE("addresses, keys and streams that are none are refused with their place") {
  CHECK(has(problem("[mesh]\nlisten = [\"mqtt://0.0.0.0:7400\"]\n"),
            "m.toml:2:10: mesh.listen: \"mqtt://0.0.0.0:7400\" is no endpoint"));
  CHECK(has(problem("[mesh]\npeers = [\"tcp://hub\"]\n"), "m.toml:2:9: mesh.peers: "));
  CHECK(has(problem("[mesh]\ntrust = [\"short\"]\n"),
            "m.toml:2:9: mesh.trust has \"short\", which is no public key"));
  CHECK(has(problem("[mesh]\ncarry = [\"a/b\"]\n"), "m.toml:2:9: mesh.carry"));
  CHECK(has(problem("[mesh]\nlistne = []\n"), "did you mean \"listen\"?"));
}

TEST_CASE("a check looks at the key file and at who is trusted") {
  const TempDir dir;
  MeshNodeOptions mesh;
  mesh.listen = {"tcp://127.0.0.1:7400"};
  mesh.key_file = dir / "node.key";
  mesh.trust_dir = dir / "trusted";
  CHECK(mesh_problems(mesh).empty());

  REQUIRE(make_key_file(mesh.key_file));
  REQUIRE(::chmod(mesh.key_file.c_str(), 0644) == 0);
  REQUIRE(std::filesystem::create_directory(mesh.trust_dir));
  dir.write("trusted/bad.pub", "no key");

  const auto problems = mesh_problems(mesh);
  REQUIRE(problems.size() == 2);
  CHECK(has(problems[0], "chmod 600"));
  CHECK(has(problems[1], "bad.pub"));
}

TEST_SUITE_END();

}  // namespace marram::cli
