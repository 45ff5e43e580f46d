// A node or a client as Python holds it.
//
// Everything is called with the GIL; what may wait lets go of it.  In a child
// after fork() every call raises marram.Forked, and what the parent's threads
// own is left alone.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python/objects.h"
#include "bindings/python/waiting.h"
#include "core/client/client.h"
#include "core/node/node.h"
#include "gateway/mqtt/listener.h"

namespace marram::python {

class CoreSubscription;

// Events read and checked, not yet given to the store.
struct Chunk {
  std::unique_ptr<EventBatch> batch;
  std::size_t size = 0;
};

class CoreBus : public std::enable_shared_from_this<CoreBus> {
 public:
  // `log_level` empty: no log; else to stderr from that level on.
  static std::shared_ptr<CoreBus> open_node(NodeOptions options, mqtt::MqttOptions mqtt,
                                            const std::string& log_level);
  static std::shared_ptr<CoreBus> connect(ClientOptions options);
  ~CoreBus();

  std::string name() const;
  std::string id() const;
  std::vector<std::string> endpoints() const;
  std::vector<std::string> mqtt_endpoints() const;
  std::vector<std::string> mesh_endpoints() const;
  const Limits& limits() const { return bus_->limits(); }

  pybind11::object publish(pybind11::handle event, std::int64_t timeout_micros);  // Receipt
  // (Receipts, [(index, error)] of those refused), in batches that overlap: the
  // next is read while the one before is stored.
  pybind11::tuple publish_many(pybind11::handle items, const std::string& topic,
                               std::int64_t timeout_micros);

  // Whether the events stored at `places` (log, seq) reach `level` in time; without places:
  // whether there is such a level here.
  bool reach(const std::string& level,
             const std::vector<std::pair<std::uint32_t, std::uint64_t>>& places,
             std::int64_t timeout_micros);

  // For asyncio: read, submit, and when fd() is readable take what was answered.
  // None when there is nothing left to read.
  std::optional<Chunk> read(pybind11::handle items, const std::string& topic,
                            std::optional<std::size_t> first);
  // Raises marram.Overloaded, with the chunk as it was.
  void submit(Chunk& chunk, std::uint64_t token);
  int fd();
  pybind11::list take_answers();  // [(token, Receipts, [(index, error)])]

  std::unique_ptr<CoreSubscription> subscribe(SubscribeOptions options);
  std::vector<ConsumerInfo> consumers();
  void remove_consumer(const std::string& name);
  std::string status_json();

  void close();
  bool closed() const { return closed_; }
  bool forked() const { return fork_generation() != generation_; }
  // Raises Forked, Closed.
  Bus& use();
  // The calls that are in C++ now, as InCall counts them.
  std::atomic<int>& calls() { return calls_; }

 private:
  class MqttReport;

  CoreBus();
  void open_mqtt(mqtt::MqttOptions options);
  void submit_or_wait(std::unique_ptr<EventBatch> batch, const ListenerPtr& listener,
                      const Deadline& deadline);

  const std::uint64_t generation_ = fork_generation();
  std::atomic<int> calls_ = 0;
  std::atomic<bool> closed_ = false;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  UuidMaker ids_;  // under the GIL
  std::unique_ptr<Log> log_;
  Node* node_ = nullptr;  // what bus_ is, one of the two
  Client* client_ = nullptr;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<mqtt::MqttListener> mqtt_;
  std::unique_ptr<MqttReport> mqtt_report_;
};

}  // namespace marram::python
