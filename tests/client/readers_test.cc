#include "core/client/readers.h"

#include <doctest/doctest.h>

#include "tests/client/notices.h"

TEST_SUITE_BEGIN("client/readers");

using namespace marram;
using client::Readers;

namespace {

struct Fixture {
  client::LogNumbers numbers;
  Readers readers{numbers};
  std::shared_ptr<test::Notices> notices = std::make_shared<test::Notices>();

  void open(SubscriptionId id, std::string name) {
    readers.open(id, {.filters = {"a/#"}, .name = std::move(name)}, notices, {});
  }
  void deliver(SubscriptionId id, std::uint64_t from, std::uint64_t to, std::uint32_t attempt = 1) {
    auto batch = test::batch_of(to - from + 1);
    for (std::uint64_t seq = from; seq <= to; ++seq) {
      EventView& event = batch->events()[seq - from];
      event.position = Position(1, seq);
      event.recorded = WallTime(Duration(static_cast<std::int64_t>(1000 + seq)));
    }
    readers.on_deliver({id, attempt, std::move(batch)});
  }
  std::string sent() {
    std::vector<std::string> frames;
    readers.send(frames);
    return test::words(frames);
  }
  // A session begins; the log number 1 of the node is that of `epoch`.
  void start(const std::string& epoch = "1-a") {
    numbers.start();
    if (!epoch.empty()) numbers.name(1, {"ab12", epoch, "events"});
    readers.start();
  }
  void lose_and_start(const std::string& epoch = "1-a") {
    readers.stop();
    start(epoch);
  }
  void ack(SubscriptionId id, std::uint64_t seq) {
    const Position position(1, seq);
    readers.settle(id, {&position, 1}, Settle::Ack, {});
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "subscriptions asked for before the session are opened when it begins") {
  open(1, "");
  open(2, "billing");
  CHECK(sent() == "");

  start();

  const std::string frames = sent();
  CHECK(frames.find("OPEN#1") != std::string::npos);
  CHECK(frames.find("OPEN#2") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "acks of one round are one frame, and a nack stays behind them") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  sent();

  ack(1, 1);
  ack(1, 2);
  const Position third(1, 3);
  readers.settle(1, {&third, 1}, Settle::Nack, {});
  ack(1, 4);

  CHECK(sent() == "ACK#1x2 NACK#1x1 ACK#1x1");
}

TEST_CASE_FIXTURE(Fixture, "a durable reader has what comes again marked as a repeat") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  notices->clear();

  lose_and_start();
  readers.on_opened({1, {}});
  deliver(1, 2, 5);

  CHECK(notices->of<Opened>().empty());
  CHECK(notices->delivered() == "1/2*2 1/3*2 1/4 1/5");
}

TEST_CASE_FIXTURE(Fixture, "what was settled without a session is not handed out again") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  readers.stop();
  ack(1, 1);
  ack(1, 2);
  notices->clear();

  start();
  readers.on_opened({1, {}});
  deliver(1, 1, 3);

  CHECK(notices->delivered() == "1/3*2");
  CHECK(sent() == "OPEN#1 ACK#1x2");
}

TEST_CASE_FIXTURE(Fixture, "acks that had not left when the session was lost are kept too") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 2);
  ack(1, 1);
  notices->clear();

  lose_and_start();
  readers.on_opened({1, {}});
  deliver(1, 1, 2);

  CHECK(notices->delivered() == "1/2*2");
}

TEST_CASE_FIXTURE(Fixture, "an ephemeral reader goes on where it was, without what it has had") {
  start();
  open(1, "");
  readers.on_opened({1, WallTime(Duration(500))});
  deliver(1, 7, 9);
  sent();
  notices->clear();

  lose_and_start();
  CHECK(sent() == "OPEN#1@1009");
  readers.on_opened({1, {}});
  deliver(1, 9, 11);

  CHECK(notices->delivered() == "1/10 1/11");
}

TEST_CASE_FIXTURE(Fixture, "what was settled of a log is not settled of another with its number") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  ack(1, 1);
  readers.stop();
  ack(1, 2);
  notices->clear();

  start("2-b");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);

  CHECK(sent() == "OPEN#1");
  CHECK(notices->delivered() == "8388607/1 8388607/2 8388607/3");
}

TEST_CASE_FIXTURE(Fixture, "an ack that comes late settles nothing in another log of that number") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  lose_and_start("2-b");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  sent();

  ack(1, 3);
  CHECK(sent() == "");
  const Position third(Position::kLogMax, 3);
  readers.settle(1, {&third, 1}, Settle::Ack, {});

  std::vector<std::string> frames;
  readers.send(frames);
  REQUIRE(frames.size() == 1);
  const auto settled = std::get<wire::Settlement>(test::frame_of(frames[0]));
  CHECK(settled.positions == std::vector{Position(1, 3)});
}

TEST_CASE_FIXTURE(Fixture,
                  "an ephemeral reader passes over nothing of another log of that number") {
  start();
  open(1, "");
  readers.on_opened({1, {}});
  deliver(1, 1, 9);
  notices->clear();

  lose_and_start("2-b");
  readers.on_opened({1, {}});
  deliver(1, 1, 2);
  readers.on_gap({1, {1, 3, 4, "ttl"}});

  CHECK(notices->delivered() == "8388607/1 8388607/2");
  CHECK(notices->of<Skipped>().at(0).gap.log == Position::kLogMax);
}

TEST_CASE_FIXTURE(Fixture, "a log that is back is known again, under whatever number it comes") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  lose_and_start("2-b");
  ack(1, 1);
  readers.stop();
  notices->clear();

  numbers.start();
  numbers.name(2, {"ab12", "2-b", "events"});
  numbers.name(1, {"ab12", "1-a", "events"});
  readers.start();
  readers.on_opened({1, {}});
  deliver(1, 1, 3);

  CHECK(notices->delivered() == "1/2*2 1/3*2");
}

TEST_CASE_FIXTURE(Fixture,
                  "what is settled before the node has said which log it is waits for it") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  lose_and_start("");
  readers.on_opened({1, {}});
  notices->clear();
  sent();

  ack(1, 1);
  CHECK(sent() == "");
  numbers.name(1, {"ab12", "1-a", "events"});
  deliver(1, 1, 3);

  CHECK(notices->delivered() == "1/2*2 1/3*2");
  CHECK(sent() == "ACK#1x1");
}

TEST_CASE_FIXTURE(Fixture, "of a node that does not name its logs everything comes again") {
  start("");
  open(1, "");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  notices->clear();

  lose_and_start("");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);

  CHECK(notices->delivered() == "8388607/1 8388607/2 8388607/3");
}

TEST_CASE_FIXTURE(Fixture, "no more is remembered as settled than can be unsettled at the node") {
  start();
  readers.open(1, {.filters = {"a/#"}, .name = "billing", .in_flight_max = 2}, notices, {});
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  readers.stop();
  for (std::uint64_t seq = 1; seq <= 3; ++seq) ack(1, seq);
  notices->clear();

  start();
  readers.on_opened({1, {}});
  deliver(1, 1, 3);

  CHECK(notices->delivered() == "1/1*2");
}

TEST_CASE_FIXTURE(Fixture, "an ephemeral reader that had nothing goes on from when it was opened") {
  start();
  open(1, "");
  readers.on_opened({1, WallTime(Duration(500))});
  sent();

  lose_and_start();

  CHECK(sent() == "OPEN#1@500");
}

TEST_CASE_FIXTURE(Fixture,
                  "a durable reader of what is new passes over nothing where it is made again") {
  start();
  readers.open(1, {.filters = {"a/#"}, .name = "c", .start = Start{}}, notices, {});
  CHECK(sent() == "OPEN#1");
  readers.on_opened({1, WallTime(Duration(500))});
  deliver(1, 1, 3);

  lose_and_start();

  CHECK(sent() == "OPEN#1@500");
}

TEST_CASE_FIXTURE(Fixture,
                  "a change that the lost session did not answer is part of opening again") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  readers.change(1, {"b"}, "x");
  readers.stop();
  readers.change(1, {"c"}, "y");
  CHECK(notices->of<Changed>().empty());

  start();
  std::vector<std::string> frames;
  readers.send(frames);
  readers.on_opened({1, {}});

  REQUIRE(frames.size() == 1);
  const auto reopened = std::get<wire::Open>(test::frame_of(frames[0]));
  CHECK(reopened.options.filters.at(0) == "c");
  CHECK(reopened.options.attributes == "y");
  CHECK(notices->of<Changed>().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "closing asks the node, or ends at once without one") {
  start();
  open(1, "");
  readers.on_opened({1, {}});
  sent();
  readers.close(1);
  CHECK(sent() == "CLOSE#1");
  CHECK(notices->of<Ended>().empty());
  readers.on_ended({1, {Errc::Closed, "closed"}});
  CHECK(notices->of<Ended>().size() == 1);

  readers.stop();
  open(2, "");
  readers.close(2);
  CHECK(notices->of<Ended>().size() == 2);
  CHECK(readers.empty());
}

TEST_CASE_FIXTURE(Fixture, "one whose close was lost with the session is not opened again") {
  start();
  open(1, "billing");
  readers.on_opened({1, {}});
  readers.close(1);
  sent();

  lose_and_start();

  CHECK(sent() == "");
  CHECK(readers.empty());
  REQUIRE(notices->of<Ended>().size() == 1);
  CHECK(notices->of<Ended>()[0].error.code == Errc::Closed);
}

TEST_CASE_FIXTURE(Fixture, "one that was never open does not wait for ever, one that was does") {
  start();
  open(1, "");
  readers.on_opened({1, {}});
  readers.stop();
  open(2, "");

  readers.end_waiting(TimePoint(std::chrono::seconds(1)), {Errc::Unreachable, "nobody"});

  REQUIRE(notices->of<Ended>().size() == 1);
  CHECK(notices->of<Ended>()[0].subscription == 2);
  CHECK(notices->of<Ended>()[0].error.code == Errc::Unreachable);
}

TEST_CASE_FIXTURE(Fixture, "notices for subscriptions that are no more are passed over") {
  start();

  readers.on_opened({9, {}});
  readers.on_changed({9, {}});
  readers.on_gap({9, {1, 1, 2, "ttl"}});
  readers.on_ended({9, {Errc::Closed, ""}});
  deliver(9, 1, 2);
  ack(9, 1);

  CHECK(sent() == "");
}

TEST_SUITE_END();
