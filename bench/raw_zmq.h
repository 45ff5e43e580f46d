// What ZeroMQ carries by itself, the limit that a link is measured against.
//
// One DEALER and one ROUTER on loopback TCP, each with a context of its own, as two nodes
// have; whole frames, which nobody encodes or decodes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "core/node/key_file.h"

namespace marram {

class RawLink {
 public:
  explicit RawLink(bool curve) {
    // In the library, of one peer: as in a link.
    constexpr int kFrames = 32;
    dealer_.set(zmq::sockopt::sndhwm, kFrames);
    dealer_.set(zmq::sockopt::linger, 0);
    router_.set(zmq::sockopt::linger, 0);
    if (curve) encrypt();
    router_.bind("tcp://127.0.0.1:*");
    dealer_.connect(router_.get(zmq::sockopt::last_endpoint));
  }

  // How many frames of `bytes` arrive when they are sent for so long.
  std::uint64_t frames(std::size_t bytes, double seconds) {
    std::uint64_t count = 0;
    std::jthread reader([&] {
      while (receive_at_router() > 0) ++count;
    });
    const auto begun = Clock::now();
    while (since(begun) < seconds) dealer_.send(zmq::message_t(bytes), zmq::send_flags::none);
    dealer_.send(zmq::message_t(), zmq::send_flags::none);
    reader.join();
    return count;
  }

  // Half of each round trip, in seconds.
  std::vector<double> half_round_trips(std::size_t bytes, std::size_t count) {
    const std::jthread echo([this] {
      while (receive_at_router() > 0) {
        router_.send(peer_, zmq::send_flags::sndmore);
        router_.send(frame_, zmq::send_flags::none);
      }
    });
    std::vector<double> times;
    for (std::size_t i = 0; i < count; ++i) {
      const auto begun = Clock::now();
      dealer_.send(zmq::message_t(bytes), zmq::send_flags::none);
      zmq::message_t answer;
      (void)dealer_.recv(answer);
      times.push_back(since(begun) / 2);
    }
    dealer_.send(zmq::message_t(), zmq::send_flags::none);
    return times;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point begun) {
    return std::chrono::duration<double>(Clock::now() - begun).count();
  }

  void encrypt() {
    const CurveKey server = make_curve_key();
    const CurveKey client = make_curve_key();
    router_.set(zmq::sockopt::curve_server, true);
    router_.set(zmq::sockopt::curve_secretkey, server.secret_key);
    dealer_.set(zmq::sockopt::curve_serverkey, server.public_key);
    dealer_.set(zmq::sockopt::curve_publickey, client.public_key);
    dealer_.set(zmq::sockopt::curve_secretkey, client.secret_key);
  }

  std::size_t receive_at_router() {
    (void)router_.recv(peer_);
    (void)router_.recv(frame_);
    return frame_.size();
  }

  zmq::context_t far_{1};
  zmq::context_t near_{1};
  zmq::socket_t router_{far_, zmq::socket_type::router};
  zmq::socket_t dealer_{near_, zmq::socket_type::dealer};
  zmq::message_t peer_;
  zmq::message_t frame_;
};

}  // namespace marram
