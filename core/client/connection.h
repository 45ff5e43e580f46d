// One ZeroMQ DEALER, made anew for every session.
//
// The library is told not to connect again by itself: a socket that is lost is
// hung up, and the next dial() starts from nothing, so that no frame of an older
// session can follow.
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/base/result.h"

namespace marram::client {

class Connection {
 public:
  Connection(std::string endpoint, std::size_t frame_bytes_max);
  ~Connection();

  // Errors: Invalid  ZeroMQ does not take the endpoint
  //         Io       no socket left
  Status dial();
  void hang_up();
  bool dialled() const { return dealer_.has_value(); }

  // Whether the connection failed or ended since dial().
  bool lost();
  // The next frame; empty when there is none.  Errors: Protocol  several parts
  Result<std::optional<zmq::message_t>> receive();
  void send(std::string frame);
  void add_poll_items(std::vector<zmq::pollitem_t>& items);

 private:
  std::string endpoint_;
  std::size_t frame_bytes_max_;
  zmq::context_t context_{1};
  std::optional<zmq::socket_t> dealer_;
  std::optional<zmq::socket_t> monitor_;
  std::uint64_t dials_ = 0;
};

}  // namespace marram::client
