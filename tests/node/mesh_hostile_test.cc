// A whole node, and a peer with a trusted key that does not keep to the rules.
#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "core/base/mailbox.h"
#include "core/node/key_file.h"
#include "core/wire/link_codec.h"
#include "tests/node/scratch.h"
#include "tests/node/temp_folder.h"

namespace marram::test {

namespace {

// Lines of several threads.
class SharedLines : public Log {
 public:
  void write(LogLevel level, std::string_view, std::string_view message, LogFields) override {
    if (level < LogLevel::Warn) return;
    lines_.with([&](auto& all) { all.emplace_back(message); });
  }
  int count(const std::string& part) {
    return lines_.with([&](const auto& all) {
      return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const std::string& line) {
        return line.find(part) != std::string::npos;
      }));
    });
  }

 private:
  Guarded<std::vector<std::string>> lines_;
};

std::unique_ptr<Node> open_node(const TempFolder& folder, const std::string& name, Log& log,
                                const MeshNodeOptions& mesh) {
  NodeOptions options{.name = name, .data_dir = folder.path() / name};
  options.durability = Durability::Os;
  options.mesh = mesh;
  options.mesh.key_file = folder.path() / (name + ".key");
  options.log = &log;
  auto node = Node::open(options);
  REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().message));
  return std::move(*node);
}

std::string key_of(const TempFolder& folder, const std::string& name) {
  return read_or_make_key_file(folder.path() / (name + ".key")).value().public_key;
}

// Dials with a key, and says what it is told to.
class Peer {
 public:
  Peer(const std::string& address, const CurveKey& key, const std::string& listener)
      : id_(node_id_of_key(key.public_key)) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::reconnect_ivl, -1);
    socket_.set(zmq::sockopt::rcvtimeo, 20'000);
    socket_.set(zmq::sockopt::curve_publickey, key.public_key);
    socket_.set(zmq::sockopt::curve_secretkey, key.secret_key);
    socket_.set(zmq::sockopt::curve_serverkey, listener);
    socket_.connect(address);
    wire::LinkHello hello;
    hello.name = "hostile";
    hello.instance = "1";
    hello.silent_after = 15s;
    hello.node_id = id_;
    hello.window_bytes = 1 << 20;
    hello.event_bytes_max = 1 << 20;
    send(hello);
  }

  const std::string& id() const { return id_; }
  void send(const wire::LinkFrame& frame) {
    (void)socket_.send(zmq::buffer(wire::encode_link(frame)), zmq::send_flags::none);
  }
  // The next frame of the kind; the test ends where none comes.
  template <class Kind>
  Kind next() {
    zmq::message_t message;
    while (socket_.recv(message)) {
      auto frame = decoder_.decode({message.data<char>(), message.size()});
      if (!frame) FAIL(frame.error().message);
      if (auto* const found = std::get_if<Kind>(&*frame)) return std::move(*found);
    }
    FAIL("the node said nothing");
    return {};
  }
  // That it writes a log of its own, and what is wanted of it.
  std::uint64_t asked_for(const std::string& neighbour) {
    wire::MapRecord record{.node_id = id_, .number = 1, .instance = "1", .name = "hostile"};
    record.neighbours = {{neighbour, 1}};
    record.open = {{"1-x", "events", {}, Durability::Os, Priority::Normal}};
    send(wire::State{{}, {record}});
    return next<wire::Want>().number;
  }

 private:
  const std::string id_;
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
  wire::LinkDecoder decoder_{Limits{}};
};

nlohmann::json mesh_of(Node& node) {
  return nlohmann::json::parse(node.status_json().value())["mesh"];
}

}  // namespace

TEST_SUITE_BEGIN("node/mesh_hostile");

TEST_CASE("who breaks the rules of a session loses it, and nobody else does") {
  const TempFolder folder;
  SharedLines log;
  const CurveKey key = make_curve_key();
  const auto a =
      open_node(folder, "a", log,
                {.listen = {"tcp://127.0.0.1:0"}, .trust = {key_of(folder, "b"), key.public_key}});
  const std::string address = a->mesh_endpoints().front();
  const auto b = open_node(folder, "b", log, {.peers = {address}, .trust = {key_of(folder, "a")}});
  const auto reader = subscribe(*a, {.filters = {"#"}});
  publish(*b, "x", 1, 1);
  REQUIRE(fetch(*reader, 1).size() == 1);
  const LogId own{node_id_of_key(key.public_key), "1-x", "events"};

  std::string said;
  Peer peer(address, key, key_of(folder, "a"));
  (void)peer.next<wire::LinkHello>();
  SUBCASE("a second HELLO") {
    wire::LinkHello again;
    again.instance = "1";
    again.silent_after = 15s;
    again.node_id = peer.id();
    again.window_bytes = 1 << 20;
    peer.send(again);
    said = "a second HELLO";
  }
  SUBCASE("credit for what was never sent") {
    peer.send(wire::Credit{std::uint64_t{1} << 40});
    said = "credit for more than was sent";
  }
  SUBCASE("a want with a number of the other side") {
    peer.send(wire::Want{.number = 2, .log = own});
    said = "a want with number 2";
  }
  SUBCASE("gaps out of order") {
    const std::uint64_t want = peer.asked_for(a->id());
    peer.send(wire::LinkGap{want, 5, 9, "lost"});
    peer.send(wire::LinkGap{want, 5, 9, "lost"});
    said = "out of order";
  }
  SUBCASE("parts of an event out of order") {
    const std::uint64_t want = peer.asked_for(a->id());
    peer.send(wire::Part{want, 0, 1, 100, 1000, "bytes"});
    said = "parts of an event out of order";
  }

  const Error why = peer.next<wire::Broken>().error;
  CHECK(why.code == Errc::Protocol);
  CHECK_MESSAGE(why.message.find(said) != std::string::npos, why.message);
  CHECK(mesh_of(*a)["refused"]["session"] == 1);
  CHECK(log.count(said) == 1);
  publish(*b, "x", 2, 10);
  CHECK(fetch(*reader, 9).size() == 9);
  CHECK(mesh_of(*a)["links"].size() == 1);
}

TEST_SUITE_END();

}  // namespace marram::test
