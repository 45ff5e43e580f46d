// Nodes of this machine that know no address of each other.
#include "core/wire/beacon.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/node/beacon_socket.h"
#include "tests/node/mesh_peer.h"

TEST_SUITE_BEGIN("node/beacon");

namespace marram::test {

namespace {

constexpr const char* kGroup = "239.255.77.82";

sockaddr_in socket_address(const char* address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = ::inet_addr(address);
  out.sin_port = htons(port);
  return out;
}

// A port of the group that nobody else uses, and whoever likes to say something there.
class Group {
 public:
  Group() {
    sockaddr_in at = socket_address(kGroup, 0);
    socklen_t size = sizeof at;
    const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(probe, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    ::close(probe);
    port_ = ntohs(at.sin_port);
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const in_addr loopback = socket_address("127.0.0.1", 0).sin_addr;
    REQUIRE(::setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback) == 0);
  }
  ~Group() { ::close(fd_); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  std::string text() const { return std::string(kGroup) + ":" + std::to_string(port_); }
  MeshNodeOptions options(std::vector<std::string> trust) const {
    return {.listen = {"tcp://127.0.0.1:0"},
            .trust = std::move(trust),
            .beacon = true,
            .beacon_group = text(),
            .beacon_interfaces = {"127.0.0.1"}};
  }
  void say(const std::string& datagram) const {
    const sockaddr_in to = socket_address(kGroup, port_);
    REQUIRE(::sendto(fd_, datagram.data(), datagram.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to), sizeof to) >= 0);
  }

 private:
  std::uint16_t port_ = 0;
  int fd_ = -1;
};

void wait_until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  const Signal pause;
  while (!done()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    (void)pause.wait(20ms);
  }
}

// Node a runs, and trusts the key of b, which is still to come.
struct OneOfTwo {
  TempFolder folder;
  Group group;
  SharedLines log;
  std::string key_a = key_of(folder, "a");
  std::string key_b = key_of(folder, "b");
  std::unique_ptr<Node> a = open_node(folder, "a", log, group.options({key_b}));
};

}  // namespace

TEST_CASE("nodes without an address of each other meet, and again after a restart") {
  const TempFolder folder;
  const Group group;
  SharedLines log;
  std::vector<std::string> keys;
  for (const std::string name : {"a", "b", "c"}) keys.push_back(key_of(folder, name));
  std::map<std::string, std::unique_ptr<Node>> nodes;
  for (const std::string name : {"a", "b", "c"}) {
    nodes[name] = open_node(folder, name, log, group.options(keys));
  }
  const auto reader = subscribe(*nodes["c"], {.filters = {"x"}, .name = "r"});

  publish(*nodes["a"], "x", 1, 5);
  const auto got = fetch(*reader, 5);
  CHECK(payloads(got) == "1 2 3 4 5");
  ack(*reader, got);

  nodes["a"].reset();
  wait_until([&] {
    const auto links = mesh_of(*nodes["b"])["links"];
    return std::none_of(links.begin(), links.end(),
                        [](const auto& link) { return link["name"] == "a"; });
  });
  nodes["a"] = open_node(folder, "a", log, group.options(keys));
  publish(*nodes["a"], "x", 6, 9);

  CHECK(payloads(fetch(*reader, 4)) == "6 7 8 9");
  wait_until([&] { return mesh_of(*nodes["b"])["beacon"]["heard"].size() == 2; });
  for (const auto& [name, node] : nodes) CHECK(mesh_of(*node)["beacon"]["refused"].empty());
}

TEST_CASE("who is not trusted is not dialled, and said once how it would be") {
  const TempFolder folder;
  const Group group;
  SharedLines log;
  SharedLines log_of_b;
  const std::string key_a = key_of(folder, "a");
  const std::string key_b = key_of(folder, "b");
  const auto a = open_node(folder, "a", log, group.options({}));
  const auto b = open_node(folder, "b", log_of_b, group.options({}));
  const auto untrusted = [&] { return mesh_of(*a)["beacon"]["refused"].value("untrusted", 0); };

  wait_until([&] { return untrusted() >= 3; });

  CHECK(log.count("its key is not trusted (marram peer trust '" + key_b) == 1);
  CHECK(mesh_of(*a)["beacon"]["heard"].empty());
  CHECK(mesh_of(*a)["refused"].empty());
  CHECK(mesh_of(*b)["refused"].empty());

  REQUIRE(a->set_trusted_keys({make_curve_key().public_key}));
  wait_until([&] { return log.count("(marram peer trust '" + key_b) == 2; });
  REQUIRE(a->set_trusted_keys({key_b}));
  REQUIRE(b->set_trusted_keys({key_a}));
  wait_until([&] { return mesh_of(*a)["links"].size() == 1; });
}

TEST_CASE("of two new nodes of one machine both are told of") {
  const TempFolder folder;
  const Group group;
  SharedLines log;
  const auto a = open_node(folder, "a", log, group.options({}));
  const std::string one = make_curve_key().public_key;
  const std::string other = make_curve_key().public_key;
  for (int i = 0; i < 3; ++i) {
    group.say(wire::encode_beacon({one, 7400, true}));
    group.say(wire::encode_beacon({other, 7401, true}));
  }

  wait_until([&] { return mesh_of(*a)["beacon"]["refused"].value("untrusted", 0) == 6; });

  CHECK(log.count("(marram peer trust '" + one) == 1);
  CHECK(log.count("(marram peer trust '" + other) == 1);
}

TEST_CASE("a beacon is heard where it was when the interfaces cannot be listed for a while") {
  static std::atomic<bool> fails;
  fails = false;
  const Group group;
  SharedLines log;
  const std::string peer = make_curve_key().public_key;
  const struct : TrustList {
    bool admits(const std::string&) const override { return true; }
    std::vector<std::string> keys() const override { return {}; }
  } trust;
  auto socket = BeaconSocket::open({.group = group.text(),
                                    .interfaces = {"127.0.0.1", "nosuch0"},
                                    .endpoints = {"tcp://127.0.0.1:7400"},
                                    .key = make_curve_key().public_key,
                                    .trust = &trust,
                                    .log = &log,
                                    .list = [](ifaddrs** list) {
                                      errno = EMFILE;
                                      return fails ? -1 : ::getifaddrs(list);
                                    }});
  REQUIRE(socket.has_value());
  TimePoint now{100s};
  (*socket)->send(false, now);
  CHECK(log.count("no interface is \"nosuch0\"") == 1);

  fails = true;
  (*socket)->send(false, now + 1s);
  CHECK(log.count("cannot list the interfaces") == 0);
  for (int i = 1; i < 4; ++i) (*socket)->send(false, now += 5s);
  group.say(wire::encode_beacon({peer, 7401, false}));
  std::vector<BeaconSocket::Heard> heard;
  wait_until([&] { return !(heard = (*socket)->run(now)).empty(); });

  CHECK(heard[0].peer.addresses == std::vector<std::string>{"tcp://127.0.0.1:7401"});
  CHECK(log.count("cannot list the interfaces: ") == 1);
  CHECK(log.count("no interface is \"nosuch0\"") == 1);
}

TEST_CASE("floods, rubbish and lies on the LAN keep nobody from meeting") {
  OneOfTwo two;

  two.group.say("");
  two.group.say("no beacon");
  two.group.say(std::string(2000, 'x'));
  for (int port = 1; port < 200; ++port) {
    two.group.say(wire::encode_beacon({two.key_b, static_cast<std::uint16_t>(port), true}));
    two.group.say(wire::encode_beacon({make_curve_key().public_key, 7400, true}));
  }
  wait_until([&] { return mesh_of(*two.a)["beacon"]["refused"].contains("untrusted"); });
  const auto refused = mesh_of(*two.a)["beacon"]["refused"];
  CHECK(refused["malformed"] == 3);
  CHECK(two.log.count("no beacon, from 127.0.0.1") == 1);
  CHECK(two.log.count("its key is not trusted") <= 9);
  CHECK(mesh_of(*two.a)["beacon"]["heard"].size() == 1);

  const auto b = open_node(two.folder, "b", two.log, two.group.options({two.key_a}));
  wait_until([&] { return mesh_of(*two.a)["links"].size() == 1; });
  CHECK(mesh_of(*two.a)["links"][0]["peer"] == b->id());
  CHECK(two.log.count("cannot reach") == 0);
}

TEST_CASE("a node whose beacon is off hears nobody, and says nothing of one") {
  OneOfTwo two;
  MeshNodeOptions off = two.group.options({two.key_a});
  off.beacon = false;
  const auto b = open_node(two.folder, "b", two.log, off);
  two.group.say("rubbish");

  wait_until([&] { return mesh_of(*two.a)["beacon"]["refused"].contains("malformed"); });

  CHECK(mesh_of(*two.a)["beacon"]["heard"].empty());
  CHECK_FALSE(mesh_of(*b).contains("beacon"));
}

TEST_CASE("a beacon that can be of no use refuses the start") {
  const TempFolder folder;
  const Group group;
  const auto why = [&](const MeshNodeOptions& mesh) {
    NodeOptions options{.name = "a", .data_dir = folder.path() / "a"};
    options.mesh = mesh;
    const auto node = Node::open(options);
    REQUIRE_FALSE(node);
    CHECK(node.error().code == Errc::Config);
    return node.error().message;
  };
  MeshNodeOptions mesh = group.options({});
  CHECK(why(mesh).find("so links need keys") != std::string::npos);
  mesh.key_file = folder.path() / "a.key";
  mesh.beacon_interfaces.clear();
  CHECK(why(mesh).find("only loopback addresses") != std::string::npos);
  mesh.beacon_interfaces = {"lo"};
  mesh.beacon_group = "239.1.1.1";
  CHECK(why(mesh).find("not a multicast address") != std::string::npos);
  CHECK(why({.key_file = mesh.key_file, .beacon = true}).find("no tcp address") !=
        std::string::npos);
}

TEST_SUITE_END();

}  // namespace marram::test
