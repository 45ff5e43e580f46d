#include "core/client/log_numbers.h"

#include <doctest/doctest.h>

TEST_SUITE_BEGIN("client/log_numbers");

using namespace marram;
using client::LogNumbers;

namespace {

LogId run(const std::string& epoch) { return {"ab12", epoch, "events"}; }

}  // namespace

TEST_CASE("a log has the node's number, in every session that names it") {
  LogNumbers numbers;
  for (int session = 0; session < 3; ++session) {
    numbers.start();
    CHECK_FALSE(numbers.there(5));
    numbers.name(5, run("1-a"));
    CHECK(numbers.here(5) == 5);
    CHECK(numbers.there(5) == 5);
  }
  CHECK(*numbers.id(5) == run("1-a"));
}

TEST_CASE("another log of the same number gets one of its own, and keeps it") {
  LogNumbers numbers;
  numbers.start();
  numbers.name(5, run("1-a"));

  numbers.start();
  numbers.name(5, run("2-b"));
  const std::uint32_t other = numbers.here(5);
  CHECK(other != 5);
  CHECK_FALSE(numbers.there(5));
  CHECK(numbers.last_there(5) == 5);

  numbers.start();
  numbers.name(5, run("2-b"));
  CHECK(numbers.here(5) == other);
  CHECK(*numbers.id(5) == run("1-a"));
  CHECK(*numbers.id(other) == run("2-b"));
}

TEST_CASE("numbers that were given out here are not those of logs that the node names later") {
  LogNumbers numbers;
  numbers.start();
  numbers.name(5, run("1-a"));
  numbers.start();
  numbers.name(5, run("2-b"));

  numbers.name(Position::kLogMax, run("3-c"));

  CHECK(numbers.here(5) == Position::kLogMax);
  CHECK(numbers.here(Position::kLogMax) == Position::kLogMax - 1);
  CHECK(numbers.there(Position::kLogMax) == 5);
}

TEST_CASE("a log without a name is another one in each session, and nobody can ask for it then") {
  LogNumbers numbers;
  numbers.start();
  CHECK(numbers.here(5) == 5);
  CHECK(numbers.last_there(5) == 5);

  numbers.start();
  CHECK(numbers.here(5) == Position::kLogMax);
  CHECK(numbers.last_there(5) == 0);
  CHECK(numbers.id(5) == nullptr);
}

TEST_CASE("a number that the session knows already keeps its log") {
  LogNumbers numbers;
  numbers.start();
  numbers.name(5, run("1-a"));

  numbers.name(5, run("2-b"));

  CHECK(numbers.here(5) == 5);
  CHECK(*numbers.id(5) == run("1-a"));
}

TEST_CASE("the positions of a batch are brought here, log by log") {
  LogNumbers numbers;
  numbers.start();
  numbers.name(5, run("1-a"));
  numbers.start();
  EventBatch batch;
  UuidMaker ids;
  for (const Position position : {Position(5, 1), Position(5, 2), Position(6, 1), Position(5, 3)}) {
    batch.add(Event{.topic = "a"}, "", WallTime(Duration(1)), ids);
    batch.events().back().position = position;
  }

  numbers.bring_here(batch);

  constexpr std::uint32_t kOther = Position::kLogMax;
  CHECK(batch.events()[0].position == Position(kOther, 1));
  CHECK(batch.events()[1].position == Position(kOther, 2));
  CHECK(batch.events()[2].position == Position(6, 1));
  CHECK(batch.events()[3].position == Position(kOther, 3));
}

TEST_SUITE_END();
