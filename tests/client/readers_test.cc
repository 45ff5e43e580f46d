#include "core/client/readers.h"

#include <doctest/doctest.h>

#include "tests/client/notices.h"

TEST_SUITE_BEGIN("client/readers");

using namespace marram;
using client::Readers;

namespace {

struct Fixture {
  Readers readers;
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
  void lose_and_start() {
    readers.stop();
    readers.start();
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

  readers.start();

  const std::string frames = sent();
  CHECK(frames.find("OPEN#1") != std::string::npos);
  CHECK(frames.find("OPEN#2") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "acks of one round are one frame, and a nack stays behind them") {
  readers.start();
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
  readers.start();
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
  readers.start();
  open(1, "billing");
  readers.on_opened({1, {}});
  deliver(1, 1, 3);
  readers.stop();
  ack(1, 1);
  ack(1, 2);
  notices->clear();

  readers.start();
  readers.on_opened({1, {}});
  deliver(1, 1, 3);

  CHECK(notices->delivered() == "1/3*2");
  CHECK(sent() == "OPEN#1 ACK#1x2");
}

TEST_CASE_FIXTURE(Fixture, "acks that had not left when the session was lost are kept too") {
  readers.start();
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
  readers.start();
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

TEST_CASE_FIXTURE(Fixture, "an ephemeral reader that had nothing goes on from when it was opened") {
  readers.start();
  open(1, "");
  readers.on_opened({1, WallTime(Duration(500))});
  sent();

  lose_and_start();

  CHECK(sent() == "OPEN#1@500");
}

TEST_CASE_FIXTURE(Fixture,
                  "a change that the lost session did not answer is part of opening again") {
  readers.start();
  open(1, "billing");
  readers.on_opened({1, {}});
  readers.change(1, {"b"}, "x");
  readers.stop();
  readers.change(1, {"c"}, "y");
  CHECK(notices->of<Changed>().empty());

  readers.start();
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
  readers.start();
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
  readers.start();
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
  readers.start();
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
  readers.start();

  readers.on_opened({9, {}});
  readers.on_changed({9, {}});
  readers.on_gap({9, {1, 1, 2, "ttl"}});
  readers.on_ended({9, {Errc::Closed, ""}});
  deliver(9, 1, 2);
  ack(9, 1);

  CHECK(sent() == "");
}

TEST_SUITE_END();
