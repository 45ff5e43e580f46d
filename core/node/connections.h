// Who is connected to a socket that listens, by file descriptor from the moment they are accepted.
//
// So one that never says anything, or is to go, can be cut: the library has no way to close
// one, and keeps for each what it has half sent.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/node/socket_watch.h"

namespace marram {

class Connections {
 public:
  struct Options {
    std::size_t silent_max = 64;
    Duration silent_for = std::chrono::seconds(10);
  };
  // What became of one.
  struct Ended {
    int fd = -1;
    std::string address;   // of the other end, for people
    HandshakeFailure why;  // its reason is empty where nothing was wrong
    bool spoke = false;    // it had sent a frame
  };
  // One of them; `fd` alone is another's when it is gone.
  struct Known {
    int fd = -1;
    std::uint64_t serial = 0;
    std::string address;  // for people
  };

  explicit Connections(Options options) : options_(options) {}

  // Before `socket` binds; `name` as in SocketWatch.  Errors: Io
  Status watch(zmq::context_t& context, zmq::socket_t& socket, const std::string& name);
  // Before the socket goes.
  void stop() { watch_.stop(); }

  // Those that ended since; each once.  Also cuts those that have been silent for too long,
  // or are too many.
  std::vector<Ended> run(TimePoint now);
  // Those that ended since; cuts nobody.
  std::vector<Ended> take_ended(TimePoint now);
  // When run() next has something to do.
  std::optional<TimePoint> wake_at() const;

  // `fd` has sent a frame: it is silent no longer.  Empty: it is gone already.
  std::optional<Known> spoke(int fd);
  // What it says counts no more: it is silent from now on.
  void ignore(const Known& known);
  // Ends the connection.
  void cut(int fd);

  void* handle() { return watch_.handle(); }

 private:
  struct Connection {
    std::uint64_t serial = 0;
    std::string address;
    TimePoint silent_since{};
    std::uint64_t order = 0;  // among the silent ones; 0: not silent, or cut already
    HandshakeFailure why;
    bool spoke = false;
  };

  void take_events();
  void hush(int fd, Connection& connection);
  void end(int fd);

  const Options options_;
  SocketWatch watch_;
  std::map<int, Connection> connections_;  // by file descriptor
  std::map<std::uint64_t, int> silent_;    // of them who say nothing, the longest first
  std::uint64_t serial_ = 0;
  HandshakeFailure failure_;  // of the handshake that the next end of a connection is about
  std::vector<Ended> ended_;
  TimePoint now_{};
};

}  // namespace marram
