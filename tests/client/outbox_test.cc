#include "core/client/outbox.h"

#include <doctest/doctest.h>

#include "tests/client/notices.h"

TEST_SUITE_BEGIN("client/outbox");

using namespace marram;
using client::Outbox;

namespace {

constexpr std::size_t kFrameMax = 16 << 20;

struct Fixture {
  std::atomic<std::size_t> queued = 0;
  Outbox outbox{queued};
  std::shared_ptr<test::Notices> notices = std::make_shared<test::Notices>();
  std::vector<std::string> frames;

  void submit(std::size_t events, std::uint64_t token, std::size_t payload = 10) {
    auto batch = test::batch_of(events, payload);
    queued += batch->bytes();
    outbox.submit(std::move(batch), notices, token);
  }
  // The numbers and sizes of the PUBLISH frames that leave now.
  std::string sent() {
    frames.clear();
    outbox.send(frames);
    return test::words(frames);
  }
  Status stored(std::uint64_t number, std::uint64_t count, std::uint64_t seq) {
    return outbox.on_answer({number, {{count, Position(1, seq), WallTime(Duration(9)), {}}}});
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "nothing leaves before a session begins, then everything in order") {
  submit(2, 10);
  submit(3, 11);
  CHECK(sent() == "");

  outbox.start(1 << 20, kFrameMax);

  CHECK(sent() == "PUBLISH#1x2 PUBLISH#2x3");
  CHECK(sent() == "");
}

TEST_CASE_FIXTURE(Fixture, "an answered batch carries its positions and frees its bytes") {
  submit(2, 10);
  outbox.start(1 << 20, kFrameMax);
  sent();

  REQUIRE(stored(1, 2, 41));

  REQUIRE(notices->of<Published>().size() == 1);
  const Published published = notices->of<Published>()[0];
  CHECK(published.token == 10);
  CHECK(published.results.empty());
  CHECK(published.batch->events()[1].position == Position(1, 42));
  CHECK(published.batch->events()[1].recorded == WallTime(Duration(9)));
  CHECK(queued == 0);
  CHECK(outbox.empty());
}

TEST_CASE_FIXTURE(Fixture, "the window holds frames back until answers come") {
  for (int i = 0; i < 3; ++i) submit(1, 10 + i, 1000);
  outbox.start(2600, kFrameMax);
  CHECK(sent() == "PUBLISH#1x1 PUBLISH#2x1");

  REQUIRE(stored(1, 1, 1));

  CHECK(sent() == "PUBLISH#3x1");
}

TEST_CASE_FIXTURE(Fixture, "an event larger than the window goes alone") {
  submit(1, 10, 5000);
  submit(1, 11, 5000);
  outbox.start(1000, kFrameMax);

  CHECK(sent() == "PUBLISH#1x1");
}

TEST_CASE_FIXTURE(Fixture, "a large batch takes several frames and is answered after the last") {
  submit(600, 10, 1000);
  outbox.start(8 << 20, kFrameMax);
  sent();
  REQUIRE(frames.size() > 1);
  std::uint64_t seq = 1;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    CHECK(notices->of<Published>().empty());
    const std::uint64_t count = test::publish_of(frames[i]).batch->size();
    REQUIRE(stored(i + 1, count, seq));
    seq += count;
  }

  REQUIRE(notices->of<Published>().size() == 1);
  CHECK(notices->of<Published>()[0].batch->events().back().position == Position(1, 600));
}

TEST_CASE_FIXTURE(Fixture,
                  "after a lost session what has no answer leaves again, with the same ids") {
  submit(1, 10);
  submit(2, 11);
  outbox.start(1 << 20, kFrameMax);
  sent();
  const Uuid before = test::publish_of(frames[1]).batch->events()[0].uuid;
  REQUIRE(stored(1, 1, 1));

  outbox.stop();
  CHECK(sent() == "");
  outbox.start(1 << 20, kFrameMax);

  CHECK(sent() == "PUBLISH#1x2");
  CHECK(test::publish_of(frames[0]).batch->events()[0].uuid == before);
}

TEST_CASE_FIXTURE(Fixture, "refused events of a batch are told one by one, the others are stored") {
  submit(3, 10);
  outbox.start(1 << 20, kFrameMax);
  sent();

  const Error full{Errc::Full, "store: full"};
  REQUIRE(outbox.on_answer({1, {{1, Position(1, 5), {}, {}}, {2, {}, {}, full}}}));

  const Published published = notices->of<Published>().at(0);
  REQUIRE(published.results.size() == 3);
  CHECK(published.results[0].has_value());
  CHECK(published.results[2].error().code == Errc::Full);
}

TEST_CASE_FIXTURE(Fixture, "answers that fit no frame are refused and change nothing") {
  submit(2, 10);
  outbox.start(1 << 20, kFrameMax);
  CHECK_FALSE(stored(1, 2, 1).has_value());
  sent();

  CHECK_FALSE(stored(2, 2, 1).has_value());
  CHECK_FALSE(stored(1, 3, 1).has_value());

  CHECK(notices->of<Published>().empty());
  CHECK(stored(1, 2, 1).has_value());
}

TEST_CASE_FIXTURE(Fixture, "an empty batch is answered in its turn") {
  submit(1, 10);
  submit(0, 11);
  outbox.start(1 << 20, kFrameMax);
  sent();
  CHECK(notices->of<Published>().empty());

  REQUIRE(stored(1, 1, 1));

  CHECK(notices->of<Published>().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "at the end every batch without an answer fails") {
  submit(2, 10);
  submit(1, 11);
  outbox.start(1 << 20, kFrameMax);
  sent();

  outbox.fail_all({Errc::Closed, "client: closed"});

  REQUIRE(notices->of<Published>().size() == 2);
  CHECK(notices->of<Published>()[0].results.at(1).error().code == Errc::Closed);
  CHECK(queued == 0);
}

TEST_SUITE_END();
