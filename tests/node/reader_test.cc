#include <thread>

#include "tests/node/scratch.h"

namespace marram::test {

namespace {

TEST_SUITE_BEGIN("node/reader");

TEST_CASE("what is published comes to a subscription whose filter matches, once") {
  Scratch node;
  const auto subscription = subscribe(*node, {.filters = {"plant/+/temp"}, .auto_settle = true});

  const auto receipt = node->publish({.topic = "plant/1/temp", .payload = "21.5"});
  REQUIRE(node->publish({.topic = "plant/1/noise", .payload = "loud"}).has_value());
  REQUIRE(node->publish({.topic = "plant/2/temp", .payload = "22"}).has_value());

  REQUIRE(receipt.has_value());
  const auto got = fetch(*subscription, 2);
  CHECK(payloads(got) == "21.5 22");
  CHECK(got[0].event->position == receipt->position);
  CHECK(subscription->fetch(10, 0s)->empty());
}

TEST_CASE("events of several threads all arrive, in order for each thread") {
  Scratch node;
  constexpr int kThreads = 4;
  constexpr int kEvents = 300;
  const auto subscription =
      subscribe(*node, {.filters = {"from/+"}, .in_flight_max = 50, .auto_settle = true});

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&node, t] {
      for (int i = 0; i < kEvents; ++i) {
        Event event{.topic = "from/" + std::to_string(t), .payload = std::to_string(i)};
        if (!node->publish(event)) return;
      }
    });
  }
  const auto got = fetch(*subscription, kThreads * kEvents);
  for (std::thread& thread : threads) thread.join();

  REQUIRE(got.size() == kThreads * kEvents);
  std::map<std::string_view, int> next;
  for (const Delivery& delivery : got) {
    REQUIRE(delivery.event->payload == std::to_string(next[delivery.event->topic]++));
  }
}

TEST_CASE("a durable consumer goes on where it was after the node was opened again") {
  Scratch node;
  publish(*node, "a", 1, 10);
  {
    const auto subscription = subscribe(*node, {.filters = {"#"}, .name = "c"});
    ack(*subscription, fetch(*subscription, 4));
  }
  node.reopen();
  publish(*node, "a", 11, 12);

  const auto subscription = subscribe(*node, {.filters = {"#"}, .name = "c"});

  CHECK(payloads(fetch(*subscription, 8)) == "5 6 7 8 9 10 11 12");
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::test
