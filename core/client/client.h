// The same interface as an embedded Node, against a running one.
//
// A Client is one ZeroMQ DEALER and one I/O thread.  It pings, notices a silent
// node, and connects again by itself, with backoff: submitted batches that were
// not answered are sent again (the ids stay, so that a repeat can be told), and
// subscriptions are opened again; a durable consumer goes on at its cursor.
//
// Threads: all functions may be called from any thread.
#pragma once

#include <memory>
#include <string>

#include "core/base/log.h"
#include "core/event/bus.h"

namespace marram {

struct ClientOptions {
  std::string endpoint = "ipc://marram-data/marram.sock";  // or "tcp://host:port"
  std::string name;  // `client` of its events; empty: the program's
  Duration connect_timeout = std::chrono::seconds(5);
  // Answers do not come for this long: calls fail with TimedOut, batches stay queued.
  Duration silent_after = std::chrono::seconds(10);
  bool reconnect = true;  // false: a lost node ends everything
  Limits limits;
  Log* log = nullptr;
};

class Client : public Bus {
 public:
  // Connects and shakes hands.
  // Errors: Unreachable, TimedOut  nobody answers there; Version; Refused; Invalid
  static Result<std::unique_ptr<Client>> connect(ClientOptions options);

  virtual const std::string& node_name() const = 0;
  virtual const std::string& node_id() const = 0;
};

}  // namespace marram
