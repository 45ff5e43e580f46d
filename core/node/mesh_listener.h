// The listening side of links: one ROUTER bound to all addresses, and who is connected to it.
//
// Knows connections by file descriptor from the moment they are accepted, so that one that
// never says anything, or is to go, can be cut: the library has no way to close one.
//
// Threads: made by one, then used by the loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/node/key_file.h"
#include "core/node/router.h"
#include "core/node/socket_watch.h"

namespace marram {

class MeshListener {
 public:
  struct Options {
    std::vector<std::string> listen;
    CurveKey key;  // empty: plain
    std::size_t silent_max = 64;
    Duration silent_for = std::chrono::seconds(10);
  };
  // What became of a connection.
  struct Ended {
    int fd = -1;
    std::string address;   // of the other end, for people
    HandshakeFailure why;  // its reason is empty where nothing was wrong
    bool spoke = false;    // it had sent a frame
  };

  // Errors: Invalid  an address, or a file is in the way; Busy, Io
  static Result<std::unique_ptr<MeshListener>> bind(zmq::context_t& context, Options options);
  ~MeshListener() { watch_.stop(); }

  // As bound, ports filled in.
  const std::vector<std::string>& endpoints() const { return endpoints_; }

  // Connections that ended since; each once.  Also cuts those that have been silent for too long,
  // or are too many.
  std::vector<Ended> watch(TimePoint now);
  // When watch() next has something to cut.
  std::optional<TimePoint> wake_at() const;

  struct Frame {
    Router::Incoming incoming;
    int fd = -1;
    std::string node_id;  // proved by CURVE; empty: plain
  };
  std::optional<Frame> receive();
  // `fd` has sent a frame: it is silent no longer.  Its address, for people; empty: it is
  // gone already.
  std::optional<std::string> spoke(int fd);

  Router::Sent send(const std::string& peer, zmq::message_t& frame);
  // Ends the connection.
  void cut(int fd);

  void add_poll_items(std::vector<zmq::pollitem_t>& items);

 private:
  struct Connection {
    std::string address;
    TimePoint accepted{};
    std::uint64_t serial = 0;  // among the silent ones; 0: not silent, or cut already
    HandshakeFailure why;
    bool spoke = false;
  };

  MeshListener(zmq::context_t& context, Options options);
  void take_events();
  void end(int fd);

  const Options options_;
  zmq::socket_t socket_;
  SocketWatch watch_;
  std::vector<std::string> endpoints_;
  std::map<int, Connection> connections_;  // by file descriptor
  std::map<std::uint64_t, int> silent_;    // of them who sent no frame yet, the oldest first
  std::uint64_t serial_ = 0;
  HandshakeFailure failure_;  // of the handshake that the next end of a connection is about
  std::vector<Ended> ended_;
  TimePoint now_{};
};

}  // namespace marram
