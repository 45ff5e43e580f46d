// The ZeroMQ ROUTER of the client endpoint: bound to its addresses, it takes and
// sends frames of peers.
//
// Threads: made by one, then used by the loop thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "core/base/result.h"
#include "core/node/connections.h"

namespace marram {

class Router {
 public:
  // Binds every endpoint.  An ipc socket is for this user alone (0600); one that a
  // dead process left behind is replaced.
  //
  // Errors: Invalid  no endpoint that can be bound, or a file is in the way
  //         Refused  tcp beyond loopback
  //         Busy     another process answers there
  //         Io       the system says no
  static Result<std::unique_ptr<Router>> bind(const std::vector<std::string>& endpoints,
                                              std::size_t frame_bytes_max,
                                              Connections::Options connections);
  ~Router();

  // As bound, ports filled in.
  const std::vector<std::string>& endpoints() const { return endpoints_; }

  struct Incoming {
    std::string peer;
    zmq::message_t frame;
    bool whole = true;  // one part, as it must be
    int fd = -1;        // of its connection
  };
  std::optional<Incoming> receive();

  // Full: not taken, `frame` is as it was; try again later.
  enum class Sent { Yes, Full, Gone };
  Sent send(const std::string& peer, zmq::message_t& frame);

  // Who is connected.
  Connections& connections() { return connections_; }
  void add_poll_items(std::vector<zmq::pollitem_t>& items, bool input);

 private:
  Router(std::size_t frame_bytes_max, Connections::Options connections);
  Status bind(const std::string& endpoint);

  zmq::context_t context_{1};
  zmq::socket_t socket_;
  Connections connections_;
  std::vector<std::string> endpoints_;
};

// Hands the string's bytes over without a copy when they are many.
zmq::message_t to_message(std::string frame);

}  // namespace marram
