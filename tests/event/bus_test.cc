#include "core/event/bus.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <thread>

#include "tests/event/fake_bus.h"

using namespace marram;
using namespace std::chrono_literals;
using marram::tests::FakeBus;

namespace {

void accept_all(FakeBus& bus) {
  bus.on_submit = [](EventBatchPtr batch, ListenerPtr to, std::uint64_t token) -> Status {
    to->notify(Published{token, std::move(batch), {}});
    return {};
  };
}

void open_all(FakeBus& bus) {
  bus.on_open = [](SubscriptionId id, Listener& listener) { listener.notify(Opened{id}); };
}

// Events `from` to `to` of log 1, as one delivery to subscription 1.
Delivered delivery(std::uint64_t from, std::uint64_t to, std::uint32_t attempt = 1) {
  UuidMaker ids;
  auto batch = std::make_unique<EventBatch>();
  std::vector<std::uint32_t> indices;
  for (std::uint64_t seq = from; seq <= to; ++seq) {
    const std::string topic = "t/" + std::to_string(seq);
    indices.push_back(static_cast<std::uint32_t>(batch->size()));
    batch->add(EventView{.topic = topic}, WallTime(1s), ids).position = Position(1, seq);
  }
  return {1, std::move(batch), std::move(indices), attempt};
}

std::vector<std::uint64_t> seqs(const Result<std::vector<Delivery>>& fetched) {
  std::vector<std::uint64_t> out;
  REQUIRE(fetched);
  for (const Delivery& delivery : *fetched) out.push_back(delivery.event->position.seq());
  return out;
}

bool readable(int fd) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, 0) == 1;
}

using Seqs = std::vector<std::uint64_t>;

}  // namespace

TEST_SUITE_BEGIN("event/bus");

TEST_CASE("publish() returns the receipt of the stored event") {
  FakeBus bus;
  accept_all(bus);

  const auto receipt = bus.publish({.topic = "a", .payload = "1", .id = "order-7"});

  REQUIRE(receipt);
  CHECK(receipt->id == "order-7");
  CHECK(receipt->position == Position(1, 1));
  CHECK(receipt->recorded == WallTime(1'000'001us));
}

TEST_CASE("publish() waits for an answer that comes from another thread") {
  FakeBus bus;
  std::jthread answering;
  bus.on_submit = [&](EventBatchPtr batch, ListenerPtr to, std::uint64_t token) -> Status {
    answering = std::jthread(
        [to, token, batch = std::move(batch)] { to->notify(Published{token, batch, {}}); });
    return {};
  };

  CHECK(bus.publish({.topic = "a"}).has_value());
}

TEST_CASE("many events are one batch, with a receipt for each in order") {
  FakeBus bus;
  int submits = 0;
  bus.on_submit = [&](EventBatchPtr batch, ListenerPtr to, std::uint64_t token) -> Status {
    ++submits;
    to->notify(Published{token, std::move(batch), {}});
    return {};
  };
  const std::vector<Event> events = {{.topic = "a", .id = "1"}, {.topic = "b", .id = "2"}};

  const auto receipts = bus.publish_many(events);

  REQUIRE(receipts);
  CHECK(submits == 1);
  REQUIRE(receipts->size() == 2);
  CHECK(receipts->at(0).id == "1");
  CHECK(receipts->at(1).id == "2");
  CHECK(receipts->at(1).position == Position(1, 2));
}

TEST_CASE("no events are stored at once, without a submit") {
  FakeBus bus;

  const auto receipts = bus.publish_many({});

  REQUIRE(receipts);
  CHECK(receipts->empty());
}

TEST_CASE("one bad event keeps all of its call from being taken, and is named") {
  FakeBus bus;
  bool submitted = false;
  bus.on_submit = [&](EventBatchPtr, ListenerPtr, std::uint64_t) -> Status {
    submitted = true;
    return {};
  };
  const std::vector<Event> events = {{.topic = "a"}, {.topic = "a/#"}};

  const auto many = bus.publish_many(events);
  const auto one = bus.publish({.topic = "a", .payload = std::string(9 << 20, 'x')});

  CHECK(!submitted);
  REQUIRE(!many);
  CHECK(many.error().code == Errc::Invalid);
  CHECK(many.error().message.starts_with("event 2 of 2: topic: "));
  REQUIRE(!one);
  CHECK(one.error().code == Errc::TooLarge);
}

TEST_CASE("the limits of the bus apply, not the built-in ones") {
  FakeBus bus;
  accept_all(bus);
  bus.limits_.payload_bytes_max = 3;

  CHECK(bus.publish({.topic = "a", .payload = "123"}).has_value());
  CHECK(bus.publish({.topic = "a", .payload = "1234"}).error().code == Errc::TooLarge);
}

TEST_CASE("an event that the store refuses is an error that names it") {
  FakeBus bus;
  bus.on_submit = [](EventBatchPtr batch, ListenerPtr to, std::uint64_t token) -> Status {
    std::vector<Status> results(batch->size());
    results.back() = fail(Errc::Full, "store: no room");
    to->notify(Published{token, std::move(batch), std::move(results)});
    return {};
  };
  const std::vector<Event> events = {{.topic = "a"}, {.topic = "b"}, {.topic = "c"}};

  const auto receipts = bus.publish_many(events);

  REQUIRE(!receipts);
  CHECK(receipts.error().code == Errc::Full);
  CHECK(receipts.error().message == "event 3 of 3: store: no room");
}

TEST_CASE("publish() waits for a level, of the highest position of each log") {
  FakeBus bus;
  accept_all(bus);
  std::vector<std::vector<Position>> asked;
  bus.on_await = [&](const Level& level, const std::vector<Position>& positions) {
    CHECK(level_text(level) == "replicated:2");
    asked.push_back(positions);
    return Result<bool>(true);
  };
  const std::vector<Event> events = {{.topic = "a"}, {.topic = "b"}};

  const auto receipts = bus.publish_many(events, 1s, *parse_level("replicated:2"));

  REQUIRE(receipts);
  CHECK(!receipts->back().pending);
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].empty());  // whether there is such a level
  CHECK(asked[1] == std::vector<Position>{Position(1, 2)});
}

TEST_CASE("a level that is not reached in time leaves the receipt pending") {
  FakeBus bus;
  accept_all(bus);
  int asked = 0;
  bus.on_await = [&](const Level&, const std::vector<Position>&) -> Result<bool> {
    if (++asked % 2 == 1) return true;
    if (asked == 2) return false;
    return fail(Errc::Unreachable, "client: lost the node");
  };

  const auto late = bus.publish({.topic = "a"}, 1s, *parse_level("delivered:cloud"));
  const auto lost = bus.publish({.topic = "a"}, 1s, *parse_level("delivered:cloud"));

  REQUIRE(late);
  CHECK(late->pending);
  REQUIRE(lost);
  CHECK(lost->pending);
}

TEST_CASE("where there is no such level nothing is published") {
  FakeBus bus;
  bool submitted = false;
  bus.on_submit = [&](EventBatchPtr, ListenerPtr, std::uint64_t) -> Status {
    submitted = true;
    return {};
  };

  const auto receipt = bus.publish({.topic = "a"}, 1s, *parse_level("replicated:1"));

  REQUIRE(!receipt);
  CHECK(receipt.error().code == Errc::Unsupported);
  CHECK(!submitted);
}

TEST_CASE("a bus that takes nothing says so at once") {
  FakeBus bus;
  bus.on_submit = [](EventBatchPtr, ListenerPtr, std::uint64_t) -> Status {
    return fail(Errc::Overloaded, "node: busy");
  };

  CHECK(bus.publish({.topic = "a"}).error().code == Errc::Overloaded);
}

TEST_CASE(
    "without an answer publish() times out, and a late answer finds nobody and harms nobody") {
  FakeBus bus;
  ListenerPtr late;
  bus.on_submit = [&](EventBatchPtr, ListenerPtr to, std::uint64_t) -> Status {
    late = std::move(to);
    return {};
  };

  const auto receipt = bus.publish({.topic = "a"}, 1ms);

  REQUIRE(!receipt);
  CHECK(receipt.error().code == Errc::TimedOut);
  CHECK(receipt.error().message.find("same id") != std::string::npos);
  REQUIRE(late);
  late->notify(Published{0, std::make_shared<EventBatch>(), {}});
}

TEST_CASE("removing a consumer waits for its answer") {
  FakeBus bus;
  bus.on_remove = [](const std::string& name, Listener& listener, std::uint64_t token) {
    if (name == "a") listener.notify(Removed{token, {}});
    if (name != "a") listener.notify(Removed{token, fail(Errc::NotFound, "no such")});
  };

  CHECK(static_cast<Bus&>(bus).remove_consumer("a").has_value());
  CHECK(static_cast<Bus&>(bus).remove_consumer("b").error().code == Errc::NotFound);
}

TEST_CASE("a refused subscription is an error with the reason") {
  FakeBus bus;
  bus.on_open = [](SubscriptionId id, Listener& listener) {
    listener.notify(Ended{id, {Errc::Busy, "consumer: \"a\" has a member"}});
  };

  const auto subscription = bus.subscribe({.filters = {"#"}, .name = "a"});

  REQUIRE(!subscription);
  CHECK(subscription.error().code == Errc::Busy);
}

TEST_CASE("fetch() gives what was delivered, in order, no more than asked for") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}});
  bus.listener->notify(delivery(1, 3));
  bus.listener->notify(delivery(4, 5, 2));

  CHECK(seqs(subscription->fetch(2, 0us)) == Seqs{1, 2});
  CHECK(readable(subscription->fd()));
  const auto rest = subscription->fetch(10, 0us);
  CHECK(seqs(rest) == Seqs{3, 4, 5});
  CHECK(rest->at(0).attempt == 1);
  CHECK(rest->at(1).attempt == 2);
  CHECK(rest->at(1).event->topic == "t/4");
  CHECK(seqs(subscription->fetch(10, 0us)).empty());
  CHECK(!readable(subscription->fd()));
}

TEST_CASE("deliveries that come with Opened are not lost") {
  FakeBus bus;
  bus.on_open = [](SubscriptionId id, Listener& listener) {
    listener.notify(Opened{id});
    listener.notify(delivery(1, 1));
  };

  const auto subscription = *bus.subscribe({.filters = {"t/#"}});

  CHECK(readable(subscription->fd()));
  CHECK(seqs(subscription->fetch(10, 0us)) == Seqs{1});
}

TEST_CASE("only the events that a delivery names are given") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}});
  Delivered some = delivery(1, 5);
  some.indices = {0, 3};
  bus.listener->notify(std::move(some));

  CHECK(seqs(subscription->fetch(10, 0us)) == Seqs{1, 4});
}

TEST_CASE("fetch() waits for a delivery from another thread") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}});
  const std::jthread delivering([&] { bus.listener->notify(delivery(1, 1)); });

  CHECK(seqs(subscription->fetch(10, std::nullopt)) == Seqs{1});
}

TEST_CASE("fetch() without a delivery ends with the time, empty") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}});

  CHECK(seqs(subscription->fetch(10, 1ms)).empty());
  CHECK(seqs(subscription->fetch(10, 0us)).empty());
  CHECK(seqs(subscription->fetch(10, -1s)).empty());
}

TEST_CASE("acks and nacks name their positions") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}, .name = "c"});

  subscription->ack(Position(1, 1));
  const Position two[] = {Position(1, 2), Position(1, 3)};
  subscription->ack(two);
  subscription->nack(Position(1, 4), 2s);

  REQUIRE(bus.settled.size() == 3);
  CHECK(bus.settled[0].positions == std::vector{Position(1, 1)});
  CHECK(bus.settled[0].how == Settle::Ack);
  CHECK(bus.settled[1].positions == std::vector{Position(1, 2), Position(1, 3)});
  CHECK(bus.settled[2].how == Settle::Nack);
  CHECK(bus.settled[2].delay == 2s);
}

TEST_CASE("with auto_settle, what fetch() gives is acknowledged, and nothing else") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}, .auto_settle = true});
  bus.listener->notify(delivery(1, 3));

  subscription->fetch(2, 0us).value();

  REQUIRE(bus.settled.size() == 1);
  CHECK(bus.settled[0].positions == std::vector{Position(1, 1), Position(1, 2)});
  CHECK(bus.settled[0].how == Settle::Ack);
}

TEST_CASE("gaps are kept until they are taken") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}});
  bus.listener->notify(Skipped{1, {.log = 1, .from = 1, .to = 9, .reason = "retention"}});
  bus.listener->notify(delivery(10, 10));

  CHECK(seqs(subscription->fetch(10, 0us)) == Seqs{10});
  const auto gaps = subscription->take_gaps();
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].to == 9);
  CHECK(gaps[0].reason == "retention");
  CHECK(subscription->take_gaps().empty());
}

TEST_CASE("after its end a subscription gives what it had, then the reason, again and again") {
  FakeBus bus;
  open_all(bus);
  const auto subscription = *bus.subscribe({.filters = {"t/#"}});
  bus.listener->notify(delivery(1, 2));
  bus.listener->notify(Ended{1, {Errc::Closed, "node: closed"}});

  CHECK(seqs(subscription->fetch(1, std::nullopt)) == Seqs{1});
  CHECK(seqs(subscription->fetch(1, std::nullopt)) == Seqs{2});
  CHECK(subscription->fetch(1, std::nullopt).error().code == Errc::Closed);
  CHECK(subscription->fetch(1, std::nullopt).error().code == Errc::Closed);
}

TEST_CASE("a subscription is closed once, by hand or when it goes") {
  FakeBus bus;
  open_all(bus);
  {
    const auto by_hand = *bus.subscribe({.filters = {"#"}});
    by_hand->close();
    by_hand->close();
  }
  CHECK(bus.closed == std::vector<SubscriptionId>{1});

  {
    const auto goes = *bus.subscribe({.filters = {"#"}});
  }
  CHECK(bus.closed == std::vector<SubscriptionId>{1, 2});
  bus.listener->notify(delivery(1, 1));
}
