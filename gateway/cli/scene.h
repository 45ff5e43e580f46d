// What `marram drill` plays in: one node, and a broker outside behind an uplink that
// can be cut.
//
// Threads: one at a time.
#pragma once

#include <memory>

#include "gateway/cli/cast.h"
#include "gateway/cli/node_watch.h"

namespace marram::cli {

class Scene {
 public:
  // Starts the broker, the uplink, the collector and the node; the devices wait.
  // Errors: as Cast::open()
  static Result<std::unique_ptr<Scene>> open(CastOptions options);

  Cast& cast() { return *cast_; }
  Status start_devices() { return cast_->start_devices(port_); }

  void cut() { uplink_->cut(); }
  void heal() { uplink_->heal(); }
  void kill_node();
  Status start_node();

  // Stored and not yet delivered outside.
  std::uint64_t backlog() { return watch_.standing().owed_to_route; }

 private:
  explicit Scene(std::unique_ptr<Cast> cast);

  std::unique_ptr<Cast> cast_;
  std::uint16_t port_;
  std::unique_ptr<Relay> uplink_;
  NodeWatch watch_;
};

}  // namespace marram::cli
