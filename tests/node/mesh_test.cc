// Whole nodes in one process, with links over ipc.
#include <nlohmann/json.hpp>

#include "core/node/key_file.h"
#include "tests/node/scratch.h"

namespace marram::test {

namespace {

// A folder with a node a name in it.
class Meadow {
 public:
  Meadow() {
    std::string name = (std::filesystem::temp_directory_path() / "marram-mesh-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    dir_ = name;
  }
  ~Meadow() {
    nodes_.clear();
    std::filesystem::remove_all(dir_);
  }
  Meadow(const Meadow&) = delete;
  Meadow& operator=(const Meadow&) = delete;

  // Opens, perhaps again, a node that dials `peers`.
  Node& open(const std::string& name, const std::vector<std::string>& peers = {},
             const std::vector<std::string>& carry = {},
             const std::vector<std::string>& trusted = {}) {
    NodeOptions options{.name = name, .data_dir = dir_ / name, .durability = Durability::Os};
    StreamOptions quick{.name = "quick", .topics = {"quick/#"}, .durability = Durability::Memory};
    options.streams = {quick};
    options.mesh.listen = {address(name)};
    options.mesh.carry = carry;
    if (!trusted.empty()) options.mesh.key_file = key_file(name);
    for (const std::string& peer : trusted) options.mesh.trust.push_back(key_of(peer));
    for (const std::string& peer : peers) options.mesh.peers.push_back(address(peer));
    auto node = Node::open(options);
    REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().message));
    nodes_[name] = std::move(*node);
    return *nodes_[name];
  }
  void close(const std::string& name) { nodes_.erase(name); }
  Node& at(const std::string& name) { return *nodes_.at(name); }
  std::string key_of(const std::string& name) const {
    const auto key = read_or_make_key_file(key_file(name));
    REQUIRE_MESSAGE(key.has_value(), (key ? "" : key.error().message));
    return key->public_key;
  }

 private:
  std::filesystem::path key_file(const std::string& name) const { return dir_ / (name + ".key"); }
  std::string address(const std::string& name) const {
    return "ipc://" + (dir_ / (name + ".sock")).string();
  }

  std::filesystem::path dir_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
};

std::string numbers(int first, int last) {
  std::string out;
  for (int i = first; i <= last; ++i) out += (i == first ? "" : " ") + std::to_string(i);
  return out;
}

nlohmann::json mesh_of(Node& node) {
  const auto text = node.status_json();
  REQUIRE(text);
  return nlohmann::json::parse(*text)["mesh"];
}

// Asks again until `done` says yes; false after a long while.
template <class Question>
bool eventually(Question done) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  Inbox pause;
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    pause.wait(20ms);
  }
  return false;
}

}  // namespace

TEST_SUITE_BEGIN("node/mesh");

TEST_CASE("an event published at one node reaches a consumer at another") {
  Meadow mesh;
  Node& a = mesh.open("a");
  Node& b = mesh.open("b", {"a"});
  const auto reader = subscribe(b, {.filters = {"plant/#"}});

  publish(a, "plant/1", 1, 100);

  CHECK(payloads(fetch(*reader, 100)) == numbers(1, 100));
}

TEST_CASE("a reader of what is new gets nothing older that its node has a copy of") {
  Meadow mesh;
  Node& a = mesh.open("a");
  Node& b = mesh.open("b", {"a"}, {"*"});
  const auto all =
      subscribe(b, {.filters = {"plant/#"}, .start = Start{.at = Start::At::Earliest}});
  publish(a, "plant/1", 1, 10);
  REQUIRE(payloads(fetch(*all, 10)) == numbers(1, 10));

  const auto ephemeral = subscribe(b, {.filters = {"plant/#"}});
  const auto named =
      subscribe(b, {.filters = {"plant/#"}, .name = "n", .start = Start{.at = Start::At::New}});
  publish(a, "plant/1", 11, 20);

  CHECK(payloads(fetch(*ephemeral, 10)) == numbers(11, 20));
  CHECK(payloads(fetch(*named, 10)) == numbers(11, 20));
}

TEST_CASE("an event crosses a node that wants nothing itself, both ways") {
  Meadow mesh;
  Node& a = mesh.open("a");
  mesh.open("b", {"a"});
  Node& c = mesh.open("c", {"b"});
  const auto at_c = subscribe(c, {.filters = {"up/#"}});
  const auto at_a = subscribe(a, {.filters = {"down/#"}});

  publish(a, "up/1", 1, 10);
  publish(c, "down/1", 11, 20);

  CHECK(payloads(fetch(*at_c, 10)) == numbers(1, 10));
  CHECK(payloads(fetch(*at_a, 10)) == numbers(11, 20));
}

TEST_CASE("a durable consumer on a leaf that was away gets what it missed, once, in order") {
  Meadow mesh;
  Node& a = mesh.open("a");
  mesh.open("b", {"a"});
  {
    const auto reader = subscribe(mesh.open("c", {"b"}), {.filters = {"x"}, .name = "r"});
    publish(a, "x", 1, 5);
    const auto got = fetch(*reader, 5);
    CHECK(payloads(got) == numbers(1, 5));
    ack(*reader, got);
  }
  mesh.close("c");
  publish(a, "x", 6, 300);

  const auto reader = subscribe(mesh.open("c", {"b"}), {.filters = {"x"}, .name = "r"});
  const auto got = fetch(*reader, 295);

  CHECK(payloads(got) == numbers(6, 300));
  CHECK(reader->take_gaps().empty());
}

TEST_CASE("what is published while the relay is away comes when it is back") {
  Meadow mesh;
  Node& a = mesh.open("a");
  mesh.open("b", {"a"});
  Node& c = mesh.open("c", {"b"});
  const auto reader = subscribe(c, {.filters = {"x"}, .name = "r"});
  publish(a, "x", 1, 10);
  const auto before = fetch(*reader, 10);
  CHECK(payloads(before) == numbers(1, 10));
  ack(*reader, before);

  mesh.close("b");
  publish(a, "x", 11, 200);
  mesh.open("b", {"a"});

  CHECK(payloads(fetch(*reader, 190)) == numbers(11, 200));
  CHECK(reader->take_gaps().empty());
}

TEST_CASE("a consumer reads the older run of a node before the newer one") {
  Meadow mesh;
  publish(mesh.open("a"), "x", 1, 50);
  mesh.close("a");
  publish(mesh.open("a"), "x", 51, 100);
  Node& b = mesh.open("b", {"a"});

  const auto reader = subscribe(b, {.filters = {"x"}, .name = "r"});

  CHECK(payloads(fetch(*reader, 100)) == numbers(1, 100));
}

TEST_CASE("a node's own consumer gets the events of an earlier run, peers or none") {
  Meadow mesh;
  {
    Node& a = mesh.open("a");
    const auto reader = subscribe(a, {.filters = {"x"}, .name = "r"});
    publish(a, "x", 1, 20);
    ack(*reader, fetch(*reader, 5));
  }
  mesh.close("a");

  Node& a = mesh.open("a");
  publish(a, "x", 21, 30);
  const auto reader = subscribe(a, {.filters = {"x"}, .name = "r"});

  const std::string got = payloads(fetch(*reader, 25));
  CHECK(got.find("20 21") != std::string::npos);
  CHECK(got.ends_with("30"));
}

TEST_CASE("events of a stream in memory cross the mesh without a disk") {
  Meadow mesh;
  Node& a = mesh.open("a");
  mesh.open("b", {"a"});
  Node& c = mesh.open("c", {"b"});
  const auto reader = subscribe(c, {.filters = {"quick/#"}});
  publish(a, "quick/1", 1, 1);
  CHECK(payloads(fetch(*reader, 1)) == "1");

  publish(a, "quick/1", 2, 50);

  CHECK(payloads(fetch(*reader, 49)) == numbers(2, 50));
}

TEST_CASE("replicated:N is reached with N peers that keep the stream, and pending with fewer") {
  Meadow mesh;
  Node& a = mesh.open("a");
  mesh.open("b", {"a"}, {"*"});
  const Event event{.topic = "x", .payload = "1"};

  const auto one = a.publish(event, 20s, *parse_level("replicated:1"));
  const auto two = a.publish(event, 200ms, *parse_level("replicated:2"));

  REQUIRE_MESSAGE(one.has_value(), one.error().message);
  CHECK(!one->pending);
  REQUIRE(two);
  CHECK(two->pending);
}

TEST_CASE("nodes with keys meet where they trust each other, and are known by their keys") {
  Meadow mesh;
  Node& a = mesh.open("a", {}, {}, {"b"});
  Node& b = mesh.open("b", {"a"}, {}, {"a"});
  Node& stranger = mesh.open("s", {"a"}, {}, {"a"});
  CHECK(a.id() == node_id_of_key(mesh.key_of("a")));
  const auto at_b = subscribe(b, {.filters = {"x"}});
  const auto at_stranger = subscribe(stranger, {.filters = {"x"}});

  publish(a, "x", 1, 10);

  CHECK(payloads(fetch(*at_b, 10)) == numbers(1, 10));
  REQUIRE(eventually([&] { return mesh_of(a)["refused"].contains("untrusted"); }));
  CHECK(fetch(*at_stranger, 1, 100ms).empty());
  CHECK(mesh_of(a)["links"].size() == 1);

  REQUIRE(a.set_trusted_keys({mesh.key_of("s")}).has_value());
  REQUIRE(eventually([&] {
    const auto links = mesh_of(a)["links"];
    return links.size() == 1 && links[0]["name"] == "s";
  }));
}

TEST_CASE("a node without a mesh refuses to replicate, and stores nothing") {
  Scratch alone;

  const auto receipt = alone->publish({.topic = "x"}, 1s, *parse_level("replicated:1"));

  REQUIRE(!receipt);
  CHECK(receipt.error().code == Errc::Unsupported);
  CHECK(nlohmann::json::parse(*alone->status_json())["store"]["appended"] == 0);
}

TEST_CASE("status names links, nodes and what is held for a peer that is away") {
  Meadow mesh;
  Node& a = mesh.open("a");
  {
    const auto reader = subscribe(mesh.open("b", {"a"}), {.filters = {"x"}, .name = "r"});
    publish(a, "x", 1, 3);
    ack(*reader, fetch(*reader, 3));
  }
  REQUIRE(eventually([&] { return mesh_of(a)["links"].size() == 1; }));
  const auto up = mesh_of(a);
  REQUIRE(up["links"].size() == 1);
  CHECK(up["links"][0]["name"] == "b");
  CHECK(up["links"][0]["state"] == "up");
  CHECK(up["links"][0]["peer"] == mesh.at("b").id());

  mesh.close("b");
  publish(a, "x", 4, 10);

  REQUIRE(eventually([&] { return mesh_of(a)["links"].empty(); }));
  REQUIRE(eventually([&] {
    const auto holds = mesh_of(a)["holds"];
    return holds.size() == 1 && holds[0]["owed"] == 7;
  }));
  CHECK(mesh_of(a)["holds"][0]["connected"] == false);
}

TEST_SUITE_END();

}  // namespace marram::test
