// The listening side of links: one ROUTER bound to all addresses, and who is connected to it.
//
// Threads: made by one, then used by the loop thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/node/connections.h"
#include "core/node/key_file.h"
#include "core/node/router.h"

namespace marram {

class MeshListener {
 public:
  struct Options {
    std::vector<std::string> listen;
    CurveKey key;  // empty: plain
    std::size_t silent_max = 64;
    Duration silent_for = std::chrono::seconds(10);
  };
  using Ended = Connections::Ended;

  // Errors: Invalid  an address, or a file is in the way; Busy, Io
  static Result<std::unique_ptr<MeshListener>> bind(zmq::context_t& context, Options options);
  ~MeshListener() { connections_.stop(); }

  // As bound, ports filled in.
  const std::vector<std::string>& endpoints() const { return endpoints_; }

  // Connections that ended since; each once.  Also cuts those that have been silent for too long,
  // or are too many.
  std::vector<Ended> watch(TimePoint now) { return connections_.run(now); }
  // When watch() next has something to cut.
  std::optional<TimePoint> wake_at() const { return connections_.wake_at(); }

  struct Frame {
    Router::Incoming incoming;
    int fd = -1;
    std::string node_id;  // proved by CURVE; empty: plain
  };
  std::optional<Frame> receive();
  // As Connections::spoke().
  std::optional<Connections::Known> spoke(int fd) { return connections_.spoke(fd); }

  Router::Sent send(const std::string& peer, zmq::message_t& frame);
  // Ends the connection.
  void cut(int fd) { connections_.cut(fd); }

  void add_poll_items(std::vector<zmq::pollitem_t>& items);

 private:
  MeshListener(zmq::context_t& context, Options options);
  const Options options_;
  zmq::socket_t socket_;
  Connections connections_;
  std::vector<std::string> endpoints_;
};

}  // namespace marram
