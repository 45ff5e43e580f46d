// What ZeroMQ tells of the connections of one socket: accepted, proved, refused, gone.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "core/base/result.h"

namespace marram {

// Begins to watch with watch(), before the socket binds or connects.  Destroyed before the
// socket is: the library's own thread waits for ever to tell of an event that nobody reads.
class SocketWatch {
 public:
  struct Event {
    int what = 0;             // ZMQ_EVENT_...
    std::uint32_t value = 0;  // a file descriptor, or why a handshake failed
  };

  SocketWatch() = default;
  ~SocketWatch() { stop(); }
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;

  // `name` is unlike that of any other watch of the context.  Errors: Io
  Status watch(zmq::context_t& context, zmq::socket_t& socket, const std::string& name, int events);
  void stop();

  std::optional<Event> next();
  void* handle() { return reader_.handle(); }

 private:
  zmq::socket_t* socket_ = nullptr;
  zmq::socket_t reader_;
};

// Why a handshake failed: a word for counts ("no_key", "handshake"), and for people.
struct HandshakeFailure {
  std::string reason;
  std::string text;
};
HandshakeFailure handshake_failure(const SocketWatch::Event& event);

}  // namespace marram
