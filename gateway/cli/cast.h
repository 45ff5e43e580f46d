// Who plays in `marram demo` and `marram drill`: nodes, a broker outside, devices
// that publish and a collector that listens outside; real processes all, in a
// scratch folder of their own.
//
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "gateway/cli/relay.h"
#include "gateway/cli/tally.h"
#include "gateway/connectors/process.h"

namespace marram::cli {

struct CastOptions {
  std::string broker;  // mqtt://HOST:PORT; empty: a second Marram node
  std::size_t devices = 10;
  std::uint64_t readings = 0;  // of each device; 0: until they are stopped
  double rate_per_s = 0;       // of each device; 0: as fast as its window allows
  std::size_t window = 20;     // unacknowledged readings of a device
};

// A port of loopback that was free a moment ago: a node comes back on the same one.
std::uint16_t free_port();

class Cast {
 public:
  // Starts the broker and the collector.
  // Errors: Io, TimedOut  something does not start; the message has what it printed
  //         Unsupported  the broker wants TLS
  static Result<std::unique_ptr<Cast>> open(CastOptions options);
  ~Cast();  // ends all processes, removes the folder

  // "demo/<random>": readings of this cast alone are below it.
  const std::string& topics() const { return topics_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path data_dir(const std::string& name) const { return folder_ / name; }

  // A way to the broker that can be cut.
  Result<std::unique_ptr<Relay>> open_uplink() const;

  // `marram run` with the sections of `config`; waits until `port` takes connections.
  Status start_node(const std::string& name, std::uint16_t port, const std::string& config);
  void kill_node(const std::string& name);  // kill -9, waits until it is gone
  bool node_is_up(const std::string& name) const { return nodes_.contains(name); }

  Status start_devices(std::uint16_t port);  // of a node's MQTT listener
  void stop_devices();                       // what is sent is still waited for
  bool devices_done();                       // all ended, their readings acknowledged

  // Takes what the processes printed, waiting up to `at_most` for it.  What the devices
  // printed is told to `also` too.
  void poll(Duration at_most, Tally* also = nullptr);
  // What became of the readings outside.
  const Tally& tally() const { return tally_; }

 private:
  explicit Cast(CastOptions options);
  Status prepare();
  Status start_broker();
  Status start_collector();

  CastOptions options_;
  std::filesystem::path folder_;
  std::string topics_;
  std::string broker_;
  std::map<std::string, Process> nodes_;
  std::optional<Process> collector_;
  std::vector<Process> devices_;
  std::vector<std::string> device_names_;
  Tally tally_;
};

}  // namespace marram::cli
