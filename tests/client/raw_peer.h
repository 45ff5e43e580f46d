// A peer that sends and reads what it likes, to see what the endpoint makes of it.
#pragma once

#include <optional>
#include <string>
#include <zmq.hpp>

#include "core/wire/decode.h"
#include "core/wire/encode.h"

namespace marram::test {

class RawPeer {
 public:
  // `unread_max`: frames that wait here before the node's are held back.
  explicit RawPeer(const std::string& endpoint, int unread_max = 0) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvhwm, unread_max);
    socket_.set(zmq::sockopt::rcvtimeo, 5000);
    if (unread_max > 0) socket_.set(zmq::sockopt::rcvbuf, 4096);
    socket_.connect(endpoint);
  }

  void send(const std::string& frame) {
    (void)socket_.send(zmq::buffer(frame), zmq::send_flags::none);
  }
  void send_parts(const std::string& first, const std::string& second) {
    (void)socket_.send(zmq::buffer(first), zmq::send_flags::sndmore);
    (void)socket_.send(zmq::buffer(second), zmq::send_flags::none);
  }
  void send_hello(std::string instance = "raw", std::string name = "raw") {
    wire::Hello hello;
    hello.name = std::move(name);
    hello.instance = std::move(instance);
    hello.silent_after = std::chrono::seconds(10);
    send(wire::encode(hello));
  }
  // HELLO, and what comes back.
  std::optional<wire::Frame> hello(std::string instance = "raw") {
    send_hello(std::move(instance));
    return read();
  }
  // The next frame; empty when none comes in 5 s.
  std::optional<wire::Frame> read() { return receive(zmq::recv_flags::none); }
  // One that has come already.
  std::optional<wire::Frame> poll() { return receive(zmq::recv_flags::dontwait); }
  // The next frame of that kind, past others.
  template <class Kind>
  std::optional<Kind> read_one() {
    while (auto frame = read()) {
      if (auto* one = std::get_if<Kind>(&*frame)) return std::move(*one);
    }
    return {};
  }
  // The code of the ERROR that comes next; empty: none came.
  std::string error() {
    const auto broken = read_one<wire::Broken>();
    if (!broken) return "";
    message_ = broken->error.message;
    return std::string(name(broken->error.code));
  }
  const std::string& message() const { return message_; }

 private:
  std::optional<wire::Frame> receive(zmq::recv_flags flags) {
    zmq::message_t message;
    if (!socket_.recv(message, flags)) return {};
    auto frame = decoder_.decode({message.data<char>(), message.size()}, {});
    if (!frame) return {};
    return std::move(*frame);
  }

  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
  wire::Decoder decoder_{Limits{}};
  std::string message_;
};

}  // namespace marram::test
