// The cast of `marram demo` and `marram drill`: a gateway node, a broker outside
// behind an uplink that can be cut, devices that publish and a collector that
// listens outside; real processes all, in a scratch folder of their own.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/client/client.h"
#include "gateway/cli/relay.h"
#include "gateway/cli/tally.h"
#include "gateway/connectors/process.h"

namespace marram::cli {

struct SceneOptions {
  std::string broker;  // mqtt://HOST:PORT; empty: a second Marram node
  std::size_t devices = 10;
  std::uint64_t readings = 0;  // of each device; 0: until they are stopped
  double rate_per_s = 0;       // of each device; 0: as fast as its window allows
  std::size_t window = 20;     // unacknowledged readings of a device
};

// What the node says of itself.
struct Backlog {
  std::uint64_t events = 0;  // stored and not yet delivered outside
  double oldest_age_s = 0;
};

class Scene {
 public:
  // Starts the broker, the uplink, the collector and the node; the devices wait.
  // Errors: Io, TimedOut  something does not start; the message has what it printed
  static Result<std::unique_ptr<Scene>> open(SceneOptions options);
  ~Scene();  // ends all processes, removes the folder

  Status start_devices();
  void stop_devices();  // what is sent is still waited for
  bool devices_done();  // all ended, their readings acknowledged

  void cut() { uplink_->cut(); }
  void heal() { uplink_->heal(); }
  void kill_node();     // kill -9, waits until it is gone
  Status start_node();  // waits until it takes connections
  bool node_is_up() const { return node_.has_value(); }

  // Takes what the processes printed, waiting up to `at_most` for it.
  void poll(Duration at_most);
  const Tally& tally() const { return tally_; }
  // As last heard; asks the node at most four times a second.
  Backlog backlog();
  // Different readings in the node's store, read back through a client.
  Result<std::uint64_t> count_stored();

 private:
  explicit Scene(SceneOptions options);
  Status prepare();
  Status start_broker();
  Status start_collector();
  Result<Process> start_run(const std::string& name, std::uint16_t port, const std::string& routes);
  Client* client();

  SceneOptions options_;
  std::filesystem::path folder_;
  std::string topics_;  // "demo/<random>": readings of this scene alone
  std::uint16_t node_port_ = 0;
  std::string broker_;
  std::unique_ptr<Relay> uplink_;
  std::optional<Process> broker_process_;
  std::optional<Process> node_;
  std::optional<Process> collector_;
  std::vector<Process> devices_;
  std::vector<std::string> device_names_;
  std::unique_ptr<Client> client_;
  Backlog backlog_;
  TimePoint backlog_at_{};
  Tally tally_;
};

}  // namespace marram::cli
