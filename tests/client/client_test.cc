#include "core/client/client.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/client/running_node.h"

TEST_SUITE_BEGIN("client/client");

using namespace marram;
using namespace std::chrono_literals;

namespace {

std::vector<Event> numbered(std::size_t count) {
  std::vector<Event> events;
  for (std::size_t i = 0; i < count; ++i) {
    events.push_back({.topic = "plant/" + std::to_string(i % 3), .payload = std::to_string(i)});
  }
  return events;
}

// Takes `count` events, acknowledging each batch; fewer when nothing comes for 5 s.
std::vector<std::string> take(Subscription& subscription, std::size_t count) {
  std::vector<std::string> payloads;
  while (payloads.size() < count) {
    auto events = subscription.fetch(count - payloads.size(), 5s);
    if (!events || events->empty()) break;
    std::vector<Position> positions;
    for (const Delivery& delivery : *events) {
      payloads.emplace_back(delivery.event->payload);
      positions.push_back(delivery.event->position);
    }
    subscription.ack(positions);
  }
  return payloads;
}

}  // namespace

TEST_CASE("an event published through a client is stored, over ipc and tcp") {
  test::RunningNode running;
  for (const std::string& endpoint : {running.ipc(), running.tcp()}) {
    CAPTURE(endpoint);
    auto client = Client::connect({.endpoint = endpoint});
    REQUIRE(client);
    CHECK((*client)->node_name() == "gw-3");
    CHECK((*client)->node_id() == running.node().id());

    const auto receipt = (*client)->publish({.topic = "plant/1", .payload = "21.5"});

    REQUIRE(receipt);
    CHECK(receipt->position.seq() > 0);
    CHECK(receipt->recorded > WallTime());
  }
}

TEST_CASE("all of an event's fields travel to another client and back") {
  test::RunningNode running;
  auto publisher = running.client({.name = "sensor-1"});
  auto reader = running.client();
  auto subscription = reader->subscribe({.filters = {"plant/#"}});
  REQUIRE(subscription);
  Event event{.topic = "plant/1/alarm",
              .payload = std::string("\0\xff!", 3),
              .id = "order-7",
              .key = "k",
              .content_type = "text/plain",
              .headers = {{"unit", "C"}, {"unit", "F"}},
              .time = WallTime(1'764'000'000s),
              .expires = WallTime(4'000'000'000s)};

  const auto receipt = publisher->publish(event);

  REQUIRE(receipt);
  const auto got = (*subscription)->fetch(10, 5s);
  REQUIRE(got);
  REQUIRE(got->size() == 1);
  const EventView& view = *got->front().event;
  const Event back = view.to_event();
  CHECK(view.position == receipt->position);
  CHECK(view.recorded == receipt->recorded);
  CHECK(back.topic == event.topic);
  CHECK(back.payload == event.payload);
  CHECK(back.id == event.id);
  CHECK(back.key == event.key);
  CHECK(back.content_type == event.content_type);
  CHECK(back.client == "sensor-1");
  CHECK(back.headers == event.headers);
  CHECK(back.time == event.time);
  CHECK(back.expires == event.expires);
}

TEST_CASE("many events come in order, whatever frames they took") {
  test::RunningNode running;
  auto client = running.client();
  auto subscription = client->subscribe({.filters = {"#"}});
  REQUIRE(subscription);
  auto events = numbered(40'000);

  const auto receipts = client->publish_many(events);

  REQUIRE(receipts);
  CHECK(receipts->size() == events.size());
  const auto payloads = take(**subscription, events.size());
  REQUIRE(payloads.size() == events.size());
  for (std::size_t i = 0; i < events.size(); ++i) REQUIRE(payloads[i] == events[i].payload);
}

TEST_CASE("an event of 8 MB goes through, one over the limit says which") {
  test::RunningNode running;
  auto client = running.client();
  const std::size_t most = client->limits().payload_bytes_max;

  CHECK(client->publish({.topic = "a", .payload = std::string(most, 'x')}));

  const auto refused = client->publish({.topic = "a", .payload = std::string(most + 1, 'x')});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::TooLarge);
  CHECK(refused.error().message.find("limits.payload_bytes_max") != std::string::npos);
}

TEST_CASE("a durable consumer goes on behind what it has acknowledged") {
  test::RunningNode running;
  auto client = running.client();
  REQUIRE(client->publish_many(numbered(10)));
  {
    auto first = client->subscribe({.filters = {"plant/#"}, .name = "billing"});
    REQUIRE(first);
    CHECK(take(**first, 4).size() == 4);
  }
  REQUIRE(client->consumers());  // behind the end of the first

  auto other = running.client();
  auto second = other->subscribe({.filters = {"plant/#"}, .name = "billing"});

  REQUIRE(second);
  const auto rest = take(**second, 6);
  CHECK(rest == std::vector<std::string>{"4", "5", "6", "7", "8", "9"});
}

TEST_CASE("a consumer has one member, and is free again when its program is gone") {
  test::RunningNode running;
  auto first = running.client();
  auto held = first->subscribe({.filters = {"#"}, .name = "billing"});
  REQUIRE(held);
  auto second = running.client();

  const auto refused = second->subscribe({.filters = {"#"}, .name = "billing"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Busy);

  // The loss is noticed at the connection's end, not at the end of a time-out.
  held->reset();
  first.reset();
  CHECK(second->subscribe({.filters = {"#"}, .name = "billing"}));
}

TEST_CASE("questions are answered: consumers, status, logs, removal") {
  test::RunningNode running;
  auto client = running.client();
  const auto receipt = client->publish({.topic = "a", .payload = "x"});
  REQUIRE(receipt);
  REQUIRE(client->subscribe({.filters = {"#"}, .name = "billing"}));

  const auto consumers = client->consumers();
  REQUIRE(consumers);
  REQUIRE(consumers->size() == 1);
  CHECK(consumers->front().name == "billing");
  const auto status = client->status_json();
  REQUIRE(status);
  CHECK(status->find("\"node\"") != std::string::npos);
  const auto log = client->log_id(receipt->position.log());
  REQUIRE(log);
  CHECK(log->origin == client->node_id());
  CHECK(client->log_id(12345).error().code == Errc::NotFound);
  CHECK(client->remove_consumer("nobody").error().code == Errc::NotFound);
}

TEST_CASE("the socket is the user's alone") {
  test::RunningNode running;

  struct stat file{};
  REQUIRE(::stat((running.dir() / "marram.sock").c_str(), &file) == 0);

  CHECK((file.st_mode & 0777) == 0600);
}

TEST_CASE("nobody there: the error says where, how long, and what to do") {
  const auto client =
      Client::connect({.endpoint = "ipc:///tmp/marram-nobody.sock", .connect_timeout = 200ms});

  REQUIRE_FALSE(client);
  CHECK(client.error().code == Errc::Unreachable);
  CHECK(client.error().message ==
        "client: cannot reach ipc:///tmp/marram-nobody.sock: no answer in 200ms (is the node "
        "running? marram run)");
}

TEST_CASE("an endpoint or a name that cannot be is refused at once") {
  CHECK(Client::connect({.endpoint = "http://x"}).error().code == Errc::Invalid);
  CHECK(Client::connect({.endpoint = "ipc://x", .name = "a/b"}).error().code == Errc::Invalid);
}

TEST_CASE("after close every call says closed, and what waited has been answered") {
  test::RunningNode running;
  auto client = running.client();
  auto subscription = client->subscribe({.filters = {"#"}});
  REQUIRE(subscription);

  client->close();
  client->close();

  CHECK(client->publish({.topic = "a"}).error().code == Errc::Closed);
  CHECK(client->status_json().error().code == Errc::Closed);
  CHECK(client->subscribe({.filters = {"#"}}).error().code == Errc::Closed);
  CHECK((*subscription)->fetch(1, 5s).error().code == Errc::Closed);
}

TEST_CASE("acknowledgements given right before close are heard") {
  test::RunningNode running;
  auto client = running.client();
  REQUIRE(client->publish_many(numbered(5)));
  {
    auto brief = running.client();
    auto subscription = brief->subscribe({.filters = {"#"}, .name = "c", .auto_settle = true});
    REQUIRE(subscription);
    std::size_t got = 0;
    while (got < 3) got += (*subscription)->fetch(3 - got, 5s)->size();
  }

  auto again = client->subscribe({.filters = {"#"}, .name = "c"});

  REQUIRE(again);
  CHECK(take(**again, 2) == std::vector<std::string>{"3", "4"});
}

TEST_CASE("in a child of fork() a client refuses, and its end does not disturb the parent") {
  test::RunningNode running;
  auto client = running.client();

  const pid_t child = ::fork();
  if (child == 0) {
    const auto refused = client->publish({.topic = "a"});
    const bool right = !refused && refused.error().code == Errc::Forked;
    client.reset();
    ::_exit(right ? 0 : 1);
  }
  int result = 0;
  REQUIRE(::waitpid(child, &result, 0) == child);

  CHECK(result == 0);
  CHECK(client->publish({.topic = "a", .payload = "still here"}));
}

TEST_CASE("publishers on several threads share a client") {
  test::RunningNode running;
  auto client = running.client();
  auto subscription = client->subscribe({.filters = {"#"}});
  REQUIRE(subscription);

  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        (void)client->publish({.topic = "t/" + std::to_string(t), .payload = std::to_string(i)});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  CHECK(take(**subscription, 200).size() == 200);
}

TEST_SUITE_END();
