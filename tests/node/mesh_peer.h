// A whole node, and a peer that says what it is told to.
#pragma once

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "core/base/mailbox.h"
#include "core/node/key_file.h"
#include "core/wire/link_codec.h"
#include "tests/node/scratch.h"
#include "tests/node/temp_folder.h"

namespace marram::test {

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

inline std::unique_ptr<Node> open_node(const TempFolder& folder, const std::string& name, Log& log,
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

inline std::string key_of(const TempFolder& folder, const std::string& name) {
  return read_or_make_key_file(folder.path() / (name + ".key")).value().public_key;
}

// Dials with a key, and says what it is told to.
class Peer {
 public:
  static constexpr std::uint64_t kWindow = 1 << 20;

  Peer(const std::string& address, const CurveKey& key, const std::string& listener)
      : id_(node_id_of_key(key.public_key)) {
    // What the library reads ahead for who does not read himself.
    socket_.set(zmq::sockopt::rcvhwm, 1);
    socket_.set(zmq::sockopt::rcvbuf, 4096);
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
    hello.window_bytes = kWindow;
    hello.event_bytes_max = 1 << 20;
    send(hello);
  }

  const std::string& id() const { return id_; }
  void send(const wire::LinkFrame& frame) {
    (void)socket_.send(zmq::buffer(wire::encode_link(frame)), zmq::send_flags::none);
  }
  // The next frame; the test ends where none comes.
  wire::LinkFrame next() {
    zmq::message_t message;
    REQUIRE_MESSAGE(socket_.recv(message), "the node says something");
    auto frame = decoder_.decode({message.data<char>(), message.size()});
    REQUIRE_MESSAGE(frame.has_value(), (frame ? "" : frame.error().message));
    return std::move(*frame);
  }
  // The next one of the kind.
  template <class Kind>
  Kind next() {
    for (;;) {
      wire::LinkFrame frame = next();
      if (auto* const found = std::get_if<Kind>(&frame)) return std::move(*found);
    }
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

inline nlohmann::json mesh_of(Node& node) {
  return nlohmann::json::parse(node.status_json().value())["mesh"];
}

}  // namespace marram::test
