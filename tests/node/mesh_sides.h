// Transports of several nodes in one thread, what they told, and raw peers.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/node/mesh_transport.h"
#include "core/wire/link_codec.h"

namespace marram::test {

class Trusted : public TrustList {
 public:
  explicit Trusted(std::set<std::string> keys = {}) : list(std::move(keys)) {}
  bool admits(const std::string& key) const override { return everybody || list.contains(key); }
  std::vector<std::string> keys() const override { return {list.begin(), list.end()}; }

  std::set<std::string> list;
  bool everybody = false;
};

class Lines : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view message, LogFields) override {
    all.emplace_back(message);
  }
  int count(const std::string& part) const {
    int found = 0;
    for (const std::string& line : all) found += line.find(part) != std::string::npos ? 1 : 0;
    return found;
  }
  std::vector<std::string> all;
};

// One node's transport.
class Side : public MeshTransport::Handler {
 public:
  // With a key of its own and a listener on loopback, unless `change` says otherwise.
  explicit Side(const std::function<void(MeshTransport::Options&)>& change = {}) {
    options.key = make_curve_key();
    options.listen = {"tcp://127.0.0.1:0"};
    options.trust = &trust;
    options.log = &log;
    if (change) change(options);
  }

  Status open() {
    auto opened = MeshTransport::open(options, *this);
    if (!opened) return tl::unexpected(opened.error());
    transport = std::move(*opened);
    return {};
  }
  // That of its first endpoint, after open().
  std::string address() const { return transport->endpoints().front(); }
  std::string id() const { return node_id_of_key(options.key.public_key); }
  void trusts(const Side& other) { trust.list.insert(other.options.key.public_key); }
  std::uint64_t refused(const std::string& reason) const {
    const auto found = transport->refused().find(reason);
    return found == transport->refused().end() ? 0 : found->second;
  }

  void dial(const Side& other) { transport->dial({other.address(), other.options.key.public_key}); }
  wire::LinkHello hello() const {
    wire::LinkHello hello;
    hello.name = "node";
    hello.instance = "1";
    hello.silent_after = std::chrono::seconds(15);
    hello.node_id = id().empty() ? std::string(32, '0') : id();
    hello.window_bytes = 1 << 22;
    return hello;
  }
  void send(wire::LinkFrame frame) {
    transport->send(mesh::SendFrame{ups.back().id, std::move(frame)});
  }

  void on_session_up(const mesh::SessionInfo& session) override {
    ups.push_back(session);
    if (greets && session.dialled) send(hello());
  }
  void on_frame(mesh::SessionId session, wire::LinkFrame frame) override {
    if (const auto* stop = std::get_if<wire::Stop>(&frame)) stops.push_back(stop->want);
    frames.emplace_back(session, std::move(frame));
  }
  void on_session_down(mesh::SessionId session, const Error& why) override {
    downs.emplace_back(session, why);
  }
  void on_dial_failed(const std::string& address, bool, const Error& why) override {
    failed.push_back(address);
    failures.push_back(why.message);
  }

  template <class Kind>
  const Kind* last() const {
    for (auto at = frames.rbegin(); at != frames.rend(); ++at) {
      if (const auto* one = std::get_if<Kind>(&at->second)) return one;
    }
    return nullptr;
  }

  MeshTransport::Options options;
  Trusted trust;
  Lines log;
  bool greets = true;
  std::vector<mesh::SessionInfo> ups;
  std::vector<std::pair<mesh::SessionId, wire::LinkFrame>> frames;
  std::vector<std::uint64_t> stops;  // numbers of STOP frames, in order
  std::vector<std::pair<mesh::SessionId, Error>> downs;
  std::vector<std::string> failed;    // addresses
  std::vector<std::string> failures;  // and why
  std::unique_ptr<MeshTransport> transport;
};

// Runs the transports, as a loop would, until `condition` holds; false when it never did.
inline bool until(const std::function<bool()>& condition, const std::vector<Side*>& sides) {
  constexpr auto kPatience = std::chrono::seconds(30);
  const Clock& clock = Clock::system();
  const TimePoint end = clock.now() + kPatience;
  std::vector<zmq::pollitem_t> items;
  for (;;) {
    for (Side* const side : sides) {
      if (side->transport) (void)side->transport->run(clock.now());
    }
    if (condition()) return true;
    if (clock.now() >= end) return false;
    items.clear();
    for (Side* const side : sides) {
      if (side->transport) side->transport->add_poll_items(items);
    }
    (void)zmq_poll(items.data(), static_cast<int>(items.size()), 1);
  }
}

// Two sides that trust each other, `a` having dialled `b`, both greeted.
struct Pair {
  explicit Pair(const std::function<void(MeshTransport::Options&)>& change = {})
      : a(change), b(change) {
    a.trusts(b);
    b.trusts(a);
    REQUIRE(a.open());
    REQUIRE(b.open());
    link();
  }
  void link() {
    const std::size_t before_a = a.frames.size();
    const std::size_t before_b = b.ups.size();
    a.dial(b);
    REQUIRE(until([&] { return b.ups.size() > before_b; }, {&a, &b}));
    b.send(b.hello());
    REQUIRE(until([&] { return a.frames.size() > before_a; }, {&a, &b}));
  }
  bool run(const std::function<bool()>& condition) { return until(condition, {&a, &b}); }

  Side a;
  Side b;
};

// A peer with a trusted key that sends what it likes.
class RawNode {
 public:
  // Plain where the other side is.
  explicit RawNode(Side& other) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::reconnect_ivl, -1);
    if (!other.options.key.public_key.empty()) {
      const CurveKey key = make_curve_key();
      other.trust.list.insert(key.public_key);
      id = node_id_of_key(key.public_key);
      socket_.set(zmq::sockopt::curve_publickey, key.public_key);
      socket_.set(zmq::sockopt::curve_secretkey, key.secret_key);
      socket_.set(zmq::sockopt::curve_serverkey, other.options.key.public_key);
    }
    socket_.connect(other.address());
  }

  void send(const std::string& frame) {
    (void)socket_.send(zmq::buffer(frame), zmq::send_flags::none);
  }
  void send_parts(const std::string& first, const std::string& second) {
    (void)socket_.send(zmq::buffer(first), zmq::send_flags::sndmore);
    send(second);
  }
  // What has come: the code of the first ERROR, "" while there is none.
  std::string error() {
    zmq::message_t message;
    while (socket_.recv(message, zmq::recv_flags::dontwait)) {
      auto frame = decoder_.decode({message.data<char>(), message.size()});
      if (!frame) continue;
      if (const auto* broken = std::get_if<wire::Broken>(&*frame)) {
        return std::string(name(broken->error.code));
      }
    }
    return "";
  }

  std::string id;

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
  wire::LinkDecoder decoder_{Limits{}};
};

}  // namespace marram::test
