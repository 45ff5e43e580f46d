// A node in a directory of its own, which can be opened again, and shorthands.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/node/node.h"

namespace marram::test {

using namespace std::chrono_literals;

class Scratch {
 public:
  explicit Scratch(Limits limits = {}, std::vector<StreamOptions> streams = {})
      : limits_(limits), streams_(std::move(streams)) {
    std::string name = (std::filesystem::temp_directory_path() / "marram-node-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    dir_ = name;
    open();
  }
  ~Scratch() {
    node_.reset();
    std::filesystem::remove_all(dir_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void open() {
    auto node = Node::open({.name = "gw",
                            .data_dir = dir_ / "data",
                            .streams = streams_,
                            .durability = Durability::Os,
                            .limits = limits_});
    REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().message));
    node_ = std::move(*node);
  }
  void reopen() {
    node_.reset();
    open();
  }

  Node& operator*() { return *node_; }
  Node* operator->() { return node_.get(); }
  const std::filesystem::path& dir() const { return dir_; }

 private:
  Limits limits_;
  std::vector<StreamOptions> streams_;
  std::filesystem::path dir_;
  std::unique_ptr<Node> node_;
};

inline std::unique_ptr<Subscription> subscribe(Node& node, SubscribeOptions options) {
  auto subscription = node.subscribe(std::move(options));
  REQUIRE_MESSAGE(subscription.has_value(), (subscription ? "" : subscription.error().message));
  return std::move(*subscription);
}

// Publishes payloads "first" to "last" on a topic, in one batch.
inline void publish(Node& node, const std::string& topic, int first, int last) {
  std::vector<Event> events;
  for (int i = first; i <= last; ++i) {
    events.push_back({.topic = topic, .payload = std::to_string(i)});
  }
  const auto receipts = node.publish_many(events);
  REQUIRE_MESSAGE(receipts.has_value(), (receipts ? "" : receipts.error().message));
}

// Fetches until there are `count`, or nothing came for a long while.
inline std::vector<Delivery> fetch(Subscription& subscription, std::size_t count,
                                   Duration patience = 20s) {
  std::vector<Delivery> all;
  while (all.size() < count) {
    auto some = subscription.fetch(count - all.size(), patience);
    if (!some || some->empty()) break;
    all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

inline std::string payloads(const std::vector<Delivery>& deliveries) {
  std::string out;
  for (const Delivery& delivery : deliveries) {
    if (!out.empty()) out += ' ';
    out += delivery.event->payload;
    if (delivery.attempt > 1) out += '*';
  }
  return out;
}

inline void ack(Subscription& subscription, const std::vector<Delivery>& deliveries) {
  std::vector<Position> positions;
  for (const Delivery& delivery : deliveries) positions.push_back(delivery.event->position);
  subscription.ack(positions);
}

}  // namespace marram::test
