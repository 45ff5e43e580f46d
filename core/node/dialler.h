// One dialled session's socket: a DEALER that connects once, and never again by itself.
//
//     Connecting --proved--> Up --connection lost--> Gone
//         |  `--handshake failed--> Unproved (another key may fit) / Refused (ours is not trusted)
//         `--no connection--> Gone
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/base/result.h"
#include "core/node/key_file.h"
#include "core/node/router.h"
#include "core/node/socket_watch.h"

namespace marram {

class Dialler {
 public:
  enum class State { Connecting, Up, Unproved, Refused, Gone };

  struct Options {
    std::string address;     // numeric, or ipc
    std::string name;        // of its watch, unlike others
    CurveKey own_key;        // empty: a plain link
    std::string listen_key;  // the listener's, Z85
  };
  // Errors: Invalid  ZeroMQ does not take the address
  //         Io       no socket left
  static Result<std::unique_ptr<Dialler>> connect(zmq::context_t& context, const Options& options);
  // What was sent last has a moment to go out.
  ~Dialler() { watch_.stop(); }

  // Looks what happened.
  State state();
  // Whether there is, or was, a connection; as state() saw it.
  bool reached() const { return reached_; }
  // Of Unproved and Gone, for people.
  const std::string& why() const { return why_; }

  // The next frame; `whole` is false for a message of several parts.
  std::optional<Router::Incoming> receive();
  Router::Sent send(zmq::message_t& frame);
  // `waiting`: there is something to send that the socket did not take.
  void add_poll_items(std::vector<zmq::pollitem_t>& items, bool waiting);

 private:
  explicit Dialler(zmq::context_t& context) : socket_(context, zmq::socket_type::dealer) {}

  zmq::socket_t socket_;
  SocketWatch watch_;
  State state_ = State::Connecting;
  bool reached_ = false;
  std::string why_ = "nobody answers";
};

}  // namespace marram
