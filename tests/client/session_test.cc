#include "core/client/session.h"

#include <doctest/doctest.h>

#include "tests/client/notices.h"

TEST_SUITE_BEGIN("client/session");

using namespace marram;
using namespace std::chrono_literals;
using client::Question;
using client::Session;

namespace {

struct Fixture {
  std::atomic<std::size_t> queued = 0;
  Session session{{.name = "sensor", .instance = "i", .endpoint = "ipc://x", .silent_after = 9s},
                  queued};
  TimePoint now{1000s};

  std::string sent() {
    const std::string out = test::words(session.collect());
    session.collect().clear();
    return out;
  }
  void hear(wire::Frame frame) { session.on_frame(std::move(frame), now); }
  void greet() {
    session.on_connected(now);
    hear(wire::Welcome{.node_name = "gw", .silent_after = 15s, .window_bytes = 1 << 20});
  }
  client::AnswerHandoff ask(Question::What what) {
    auto handoff = std::make_shared<Handoff<Result<client::Answer>>>();
    session.ask({.what = what, .log = 3, .expires = now + 5s, .answer = handoff});
    return handoff;
  }
  static LogId run(const std::string& epoch) { return {"ab12", epoch, "events"}; }
  // A wait for replicated:1 of the fifth event of log 1; its token is 7.
  std::shared_ptr<test::Notices> await_fifth() {
    auto notices = std::make_shared<test::Notices>();
    session.await({{Level::At::Replicated, 1, ""}, {Position(1, 5)}, now + 10s, notices, 7}, now);
    return notices;
  }
  static auto taken(const client::AnswerHandoff& handoff) {
    return handoff->wait_until(std::chrono::steady_clock::now());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "HELLO comes first, everything else after WELCOME") {
  session.outbox().submit(test::batch_of(1), std::make_shared<test::Notices>(), 1);
  ask(Question::What::Status);
  session.on_connected(now);
  CHECK(sent() == "HELLO");

  hear(wire::Welcome{.silent_after = 15s, .window_bytes = 1 << 20});

  CHECK(sent() == "STATUS PUBLISH#1x1");
  CHECK(session.ready());
}

TEST_CASE_FIXTURE(Fixture, "a quiet node is pinged three times, then given up") {
  greet();
  std::string out = sent();
  out.clear();
  while (!session.broken()) {
    now = std::max(now + 1ms, session.wake_at());
    session.on_tick(now);
    out += sent() + " ";
  }

  CHECK(out == "PING PING  ");
  CHECK(session.broken()->code == Errc::TimedOut);
  CHECK(session.broken()->message == "client: ipc://x was silent for 9s");
}

TEST_CASE_FIXTURE(Fixture, "any frame is a sign of life") {
  greet();
  for (int i = 0; i < 10; ++i) {
    now += 8s;
    hear(wire::Pong{});
    session.on_tick(now);
  }

  CHECK_FALSE(session.broken());
}

TEST_CASE_FIXTURE(Fixture, "a node of another version, and one that greets twice, are given up") {
  session.on_connected(now);
  hear(wire::Welcome{.version = 9});
  REQUIRE(session.broken());
  CHECK(session.broken()->code == Errc::Version);

  session.on_lost();
  greet();
  hear(wire::Welcome{});
  REQUIRE(session.broken());
  CHECK(session.broken()->code == Errc::Protocol);
}

TEST_CASE_FIXTURE(Fixture, "a frame that only clients send breaks the session") {
  greet();

  hear(wire::Close{1});

  REQUIRE(session.broken());
  CHECK(session.broken()->code == Errc::Protocol);
}

TEST_CASE_FIXTURE(Fixture, "what the node says against us is the reason of the break") {
  session.on_connected(now);

  hear(wire::Broken{{Errc::Refused, "endpoint: 2 clients are connected already"}});

  REQUIRE(session.broken());
  CHECK(session.broken()->code == Errc::Refused);
}

TEST_CASE_FIXTURE(Fixture, "questions are asked again in the next session, answered once") {
  greet();
  const auto status = ask(Question::What::Status);
  CHECK(sent() == "HELLO STATUS");
  session.on_lost();

  greet();
  CHECK(sent() == "HELLO STATUS");
  hear(wire::StatusText{1, "{}"});
  hear(wire::StatusText{1, "{}"});

  const auto answer = taken(status);
  REQUIRE(answer);
  CHECK(std::get<std::string>(**answer) == "{}");
}

TEST_CASE_FIXTURE(Fixture, "a question that nobody waits for is not asked again") {
  ask(Question::What::Status);
  now += 6s;
  session.on_tick(now);

  greet();

  CHECK(sent() == "HELLO");
}

TEST_CASE_FIXTURE(Fixture, "a list in parts is one answer") {
  greet();
  const auto list = ask(Question::What::Consumers);
  hear(wire::ConsumerList{1, true, {{.name = "a"}}});
  CHECK_FALSE(taken(list));

  hear(wire::ConsumerList{1, false, {{.name = "b"}}});

  const auto answer = taken(list);
  REQUIRE(answer);
  CHECK(std::get<std::vector<ConsumerInfo>>(**answer).size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a failed question has the node's reason") {
  greet();
  const auto log = ask(Question::What::Log);

  hear(wire::Failed{1, {Errc::NotFound, "endpoint: no log 3"}});

  const auto answer = taken(log);
  REQUIRE(answer);
  CHECK(answer->error().code == Errc::NotFound);
}

TEST_CASE_FIXTURE(Fixture, "a removal that the session lost is answered, not repeated") {
  greet();
  const auto notices = std::make_shared<test::Notices>();
  session.remove("billing", notices, 7);
  sent();

  session.on_lost();
  greet();

  CHECK(sent() == "HELLO");
  REQUIRE(notices->of<Removed>().size() == 1);
  CHECK(notices->of<Removed>()[0].status.error().code == Errc::Unreachable);
}

TEST_CASE_FIXTURE(Fixture, "who waits for a level is answered, or asks again after a loss") {
  greet();
  hear(wire::LogIs{1, run("1-a")});
  const auto notices = std::make_shared<test::Notices>();
  session.await({{Level::At::Replicated, 2, ""}, {Position(1, 5)}, now + 10s, notices, 7}, now);
  session.await({{Level::At::Delivered, 0, "x"}, {Position(1, 5)}, now + 10s, notices, 8}, now);
  CHECK(sent() == "HELLO AWAIT AWAIT");
  hear(wire::Failed{2, {Errc::NotFound, "no route"}});
  REQUIRE(notices->of<Reached>().size() == 1);
  CHECK(notices->of<Reached>()[0].token == 8);
  CHECK(notices->of<Reached>()[0].reached.error().code == Errc::NotFound);

  session.on_lost();
  now += 4s;
  session.on_connected(now);
  session.collect().clear();
  hear(wire::Welcome{.silent_after = 15s, .window_bytes = 1 << 20});
  CHECK(sent() == "LOG#1");
  hear(wire::LogName{3, run("1-a")});
  const wire::Frame again = test::frame_of(session.collect().at(0));
  CHECK(std::get<wire::Await>(again).patience == 6s);
  CHECK(std::get<wire::Await>(again).level == "replicated:2");
  hear(wire::Awaited{1, true});

  REQUIRE(notices->of<Reached>().size() == 2);
  CHECK(notices->of<Reached>()[1].token == 7);
  CHECK(*notices->of<Reached>()[1].reached);
}

TEST_CASE_FIXTURE(Fixture, "who waits for an event is not answered for one of another log") {
  greet();
  hear(wire::LogIs{1, run("1-a")});
  const auto notices = await_fifth();
  CHECK(sent() == "HELLO AWAIT");
  session.on_lost();
  greet();
  CHECK(sent() == "HELLO LOG#1");

  hear(wire::LogName{2, run("2-b")});

  CHECK(sent() == "");
  REQUIRE(notices->of<Reached>().size() == 1);
  CHECK(!*notices->of<Reached>()[0].reached);
}

TEST_CASE_FIXTURE(Fixture, "a wait for what the node does not have any more is pending at once") {
  greet();
  hear(wire::LogIs{1, run("1-a")});
  session.on_lost();
  greet();
  sent();
  const auto notices = await_fifth();
  CHECK(sent() == "LOG#1");

  hear(wire::Failed{2, {Errc::NotFound, "endpoint: no log 1"}});

  CHECK(sent() == "");
  REQUIRE(notices->of<Reached>().size() == 1);
  CHECK(!*notices->of<Reached>()[0].reached);
}

TEST_CASE_FIXTURE(Fixture,
                  "waits for one log ask once which it is; under its new number it is known") {
  greet();
  hear(wire::LogIs{1, run("1-a")});
  session.on_lost();
  greet();
  sent();
  await_fifth();
  await_fifth();
  CHECK(sent() == "LOG#1");

  hear(wire::LogIs{4, run("1-a")});
  hear(wire::LogName{2, run("2-b")});

  const std::vector<std::string> frames = std::exchange(session.collect(), {});
  REQUIRE(frames.size() == 2);
  CHECK(std::get<wire::Await>(test::frame_of(frames[0])).positions == std::vector{Position(4, 5)});
}

TEST_CASE_FIXTURE(Fixture, "what a log was called is known without the node, and for good") {
  greet();
  hear(wire::LogIs{3, run("1-a")});
  sent();

  const auto before = taken(ask(Question::What::Log));
  session.on_lost();
  greet();
  hear(wire::LogIs{3, run("2-b")});
  const auto after = taken(ask(Question::What::Log));

  CHECK(sent() == "HELLO");
  REQUIRE((before && after));
  CHECK(std::get<LogId>(**before) == run("1-a"));
  CHECK(std::get<LogId>(**after) == run("1-a"));
}

TEST_CASE_FIXTURE(Fixture, "receipts have a number of their own where a log has that of another") {
  const auto notices = std::make_shared<test::Notices>();
  greet();
  hear(wire::LogIs{1, run("1-a")});
  session.on_lost();
  greet();
  session.outbox().submit(test::batch_of(1), notices, 1);
  session.collect().clear();

  hear(wire::LogIs{1, run("2-b")});
  hear(wire::PublishAnswer{1, {{1, Position(1, 5), WallTime(Duration(9)), {}}}});

  const auto published = notices->of<Published>();
  REQUIRE(published.size() == 1);
  CHECK(published[0].batch->events()[0].position == Position(Position::kLogMax, 5));
}

TEST_CASE_FIXTURE(Fixture, "a level is pending when the time is over and no node has answered") {
  const auto notices = std::make_shared<test::Notices>();
  session.await({{Level::At::Replicated, 1, ""}, {Position(1, 5)}, now + 1s, notices, 7}, now);
  CHECK(session.wake_at() == now + 1s);

  now += 1s;
  session.on_tick(now);

  REQUIRE(notices->of<Reached>().size() == 1);
  CHECK(!*notices->of<Reached>()[0].reached);
}

TEST_CASE_FIXTURE(Fixture, "good-bye comes after the ends of the subscriptions") {
  greet();
  session.readers().open(1, {.filters = {"a"}}, std::make_shared<test::Notices>(), now);
  session.readers().on_opened({1, {}});
  sent();

  session.say_bye();
  CHECK(sent() == "CLOSE#1 BYE");
  hear(wire::Bye{});

  CHECK(session.bye_answered());
}

TEST_SUITE_END();
