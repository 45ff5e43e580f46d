#include "core/node/node.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

#include "core/base/ids.h"

using namespace std::chrono_literals;
using marram::Errc;
using marram::Node;
using marram::NodeOptions;

namespace {

// A data folder that goes with the test.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("marram-node-" + marram::random_hex(6));
  ~Folder() { std::filesystem::remove_all(path); }
};

std::unique_ptr<Node> open(const Folder& folder) {
  auto node = Node::open({.name = "test", .data_dir = folder.path});
  REQUIRE_MESSAGE(node.has_value(), node.error().message);
  return std::move(*node);
}

std::unique_ptr<marram::Subscription> subscribe(Node& node, marram::SubscribeOptions options) {
  auto subscription = node.subscribe(std::move(options));
  REQUIRE_MESSAGE(subscription.has_value(), subscription.error().message);
  return std::move(*subscription);
}

void publish(Node& node, const std::string& topic, const std::string& payload) {
  const auto receipt = node.publish({.topic = topic, .payload = payload});
  REQUIRE_MESSAGE(receipt.has_value(), receipt.error().message);
}

std::vector<std::string> take(marram::Subscription& from, std::size_t count, bool ack = true) {
  std::vector<std::string> payloads;
  while (payloads.size() < count) {
    const auto events = from.fetch(count - payloads.size(), 10s);
    REQUIRE_MESSAGE(events.has_value(), events.error().message);
    REQUIRE(!events->empty());
    for (const auto& delivery : *events) {
      payloads.emplace_back(delivery.event->payload);
      if (ack) from.ack(delivery.event->position);
    }
  }
  return payloads;
}

}  // namespace

TEST_SUITE_BEGIN("node/node");

TEST_CASE("a durable consumer goes on behind what it has settled, in another run") {
  const Folder folder;
  {
    const auto node = open(folder);
    const auto reader = subscribe(*node, {.filters = {"#"}, .name = "r"});
    for (const char* payload : {"1", "2", "3"}) publish(*node, "t", payload);
    CHECK(take(*reader, 2) == std::vector<std::string>{"1", "2"});
  }
  const auto node = open(folder);
  publish(*node, "t", "4");

  const auto reader = subscribe(*node, {.filters = {"#"}, .name = "r"});

  CHECK(take(*reader, 2) == std::vector<std::string>{"3", "4"});
}

TEST_CASE("an event that is not settled comes again after ack_wait, and says so") {
  const Folder folder;
  const auto node = open(folder);
  const auto reader = subscribe(*node, {.filters = {"#"}, .name = "r", .ack_wait = 20ms});
  publish(*node, "t", "1");

  const auto first = reader->fetch(1, 10s);
  const auto again = reader->fetch(1, 10s);

  REQUIRE(again.has_value());
  REQUIRE(again->size() == 1);
  CHECK(first->front().attempt == 1);
  CHECK(again->front().attempt == 2);
  CHECK(again->front().event->uuid == first->front().event->uuid);
}

TEST_CASE("a nacked event and the later ones of its key come again in order") {
  const Folder folder;
  const auto node = open(folder);
  const auto reader = subscribe(*node, {.filters = {"#"}, .name = "r"});
  for (const char* payload : {"1", "2", "3"}) publish(*node, "t", payload);
  std::vector<marram::Position> positions;
  while (positions.size() < 3) {
    const auto events = reader->fetch(3, 10s);
    REQUIRE(events.has_value());
    REQUIRE(!events->empty());
    for (const auto& delivery : *events) positions.push_back(delivery.event->position);
  }

  reader->nack(positions[1]);

  CHECK(take(*reader, 2, false) == std::vector<std::string>{"2", "3"});
}

TEST_CASE("no more than a window is handed out, and settling makes room") {
  const Folder folder;
  const auto node = open(folder);
  const auto reader = subscribe(*node, {.filters = {"#"}, .name = "r", .in_flight_max = 2});
  for (int i = 1; i <= 5; ++i) publish(*node, "t", std::to_string(i));

  const auto first = take(*reader, 2, false);
  CHECK(reader->fetch(1, 0s)->empty());
  const auto events = node->consumers();
  REQUIRE(events->size() == 1);
  CHECK(events->front().in_flight == 2);
  CHECK(events->front().backlog == 5);
}

TEST_CASE("a named consumer has one member at a time, unless another takes over") {
  const Folder folder;
  const auto node = open(folder);
  const auto first = subscribe(*node, {.filters = {"#"}, .name = "r"});

  const auto refused = node->subscribe({.filters = {"#"}, .name = "r"});
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == Errc::Busy);

  const auto second = subscribe(*node, {.filters = {"#"}, .name = "r", .take_over = true});
  CHECK(!first->fetch(1, 10s).has_value());
  publish(*node, "t", "1");
  CHECK(take(*second, 1) == std::vector<std::string>{"1"});
}

TEST_CASE("a removed consumer is forgotten, one with a member is not removed") {
  const Folder folder;
  const auto node = open(folder);
  auto reader = subscribe(*node, {.filters = {"#"}, .name = "r"});

  CHECK(node->remove_consumer("r").error().code == Errc::Busy);
  reader->close();
  CHECK(!reader->fetch(1, 10s).has_value());
  CHECK(node->remove_consumer("r").has_value());
  CHECK(node->remove_consumer("r").error().code == Errc::NotFound);
}

TEST_CASE("closing a node ends who waits") {
  const Folder folder;
  const auto node = open(folder);
  const auto reader = subscribe(*node, {.filters = {"#"}});
  std::thread closer([&] { node->close(); });

  const auto ended = reader->fetch(1, std::nullopt);
  closer.join();

  REQUIRE(!ended.has_value());
  CHECK(ended.error().code == Errc::Closed);
  CHECK(node->publish({.topic = "t"}).error().code == Errc::Closed);
}

TEST_SUITE_END();
