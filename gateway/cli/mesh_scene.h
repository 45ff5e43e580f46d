// What `marram demo` plays in: three nodes with keys, and a broker outside.
//
//     devices --MQTT--> a --link--> b <---- c --uplink--> broker, collector
//                                           +-----------> reader (in this process)
//
// Link and uplink can be cut, b can be killed.
//
// Threads: one at a time.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gateway/cli/cast.h"
#include "gateway/cli/node_watch.h"

namespace marram::cli {

class MeshScene {
 public:
  // Starts the broker, the collector, the nodes and the reader; the devices wait.
  // Errors: as Cast::open(), Bus::subscribe()
  static Result<std::unique_ptr<MeshScene>> open(CastOptions options);

  Cast& cast() { return *cast_; }
  Status start_devices() { return cast_->start_devices(mqtt_port_); }

  Relay& link() { return *link_; }
  Relay& uplink() { return *uplink_; }
  void kill_b() { cast_->kill_node("b"); }
  Status start_b();

  // As Cast::poll(), and takes what is there for the reader.
  void poll(Duration at_most);
  const Tally& outside() const { return cast_->tally(); }
  const Tally& read() const { return read_; }

  std::uint64_t held_at_a() { return a_.standing().held_for_peer; }
  Standing at_c() { return c_.standing(); }
  // Different readings in a's store.
  Result<std::uint64_t> count_stored() { return a_.count_readings(cast_->topics()); }

 private:
  explicit MeshScene(std::unique_ptr<Cast> cast);
  Status prepare();
  Status start_a();
  Status start_c();
  Status start_reader();
  std::string mesh_section(const std::string& name, const std::string& more) const;

  std::unique_ptr<Cast> cast_;
  std::uint16_t mqtt_port_;
  std::map<std::string, std::uint16_t> ports_;  // of the mesh listeners of b and c
  std::map<std::string, std::string> keys_;     // public halves
  std::unique_ptr<Relay> link_;
  std::unique_ptr<Relay> uplink_;
  NodeWatch a_;
  NodeWatch c_;
  std::unique_ptr<Subscription> reader_;  // at c
  Tally read_;
};

}  // namespace marram::cli
