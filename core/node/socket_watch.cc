#include "core/node/socket_watch.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace marram {

Status SocketWatch::watch(zmq::context_t& context, zmq::socket_t& socket, const std::string& name,
                          int events) {
  const std::string address = "inproc://" + name;
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) {
    return fail(Errc::Io, fmt::format("node: cannot watch a socket: {}", zmq_strerror(errno)));
  }
  socket_ = &socket;
  try {
    reader_ = zmq::socket_t(context, zmq::socket_type::pair);
    reader_.set(zmq::sockopt::linger, 0);
    reader_.set(zmq::sockopt::rcvhwm, 0);
    reader_.connect(address);
  } catch (const zmq::error_t& error) {
    stop();
    return fail(Errc::Io, fmt::format("node: cannot watch a socket: {}", error.what()));
  }
  return {};
}

void SocketWatch::stop() {
  if (socket_ != nullptr) zmq_socket_monitor(socket_->handle(), nullptr, 0);
  socket_ = nullptr;
  reader_.close();
}

// Two parts: number and value, then the address.
std::optional<SocketWatch::Event> SocketWatch::next() {
  zmq::message_t part;
  if (socket_ == nullptr || !reader_.recv(part, zmq::recv_flags::dontwait)) return {};
  Event event;
  std::uint16_t what = 0;
  if (part.size() >= sizeof what + sizeof event.value) {
    std::memcpy(&what, part.data(), sizeof what);
    std::memcpy(&event.value, part.data<char>() + sizeof what, sizeof event.value);
  }
  event.what = what;
  while (part.more()) (void)reader_.recv(part, zmq::recv_flags::dontwait);
  return event;
}

HandshakeFailure handshake_failure(const SocketWatch::Event& event) {
  if (event.what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return {"untrusted", "its key is not trusted"};
  if (event.what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
    if (event.value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
      return {"no_key", "one side wants keys, the other has none"};
    }
    if (event.value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) {
      return {"handshake", "one side does not know the other's key"};
    }
    return {"handshake", fmt::format("the handshake is broken (ZMTP error {:#x})", event.value)};
  }
  return {"handshake", "the other side hung up, or speaks something else"};
}

}  // namespace marram
