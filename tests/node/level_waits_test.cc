#include "core/node/level_waits.h"

#include <doctest/doctest.h>

namespace marram {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

// Who was answered: "a" reached, "a!" not in time.
struct Answers {
  std::string words;
  LevelWaits::Done done(const std::string& who) {
    return [this, who](bool reached) {
      words += (words.empty() ? "" : " ") + who + (reached ? "" : "!");
    };
  }
};

}  // namespace

TEST_SUITE_BEGIN("node/level_waits");

TEST_CASE("a wait ends when every one of its logs has come so far") {
  LevelWaits waits;
  Answers answers;
  waits.add("replicated:1", {Position(1, 5), Position(2, 3)}, kStart + 1s, answers.done("a"));
  waits.add("replicated:1", {Position(1, 6)}, kStart + 1s, answers.done("b"));
  waits.add("replicated:2", {Position(1, 1)}, kStart + 1s, answers.done("c"));

  waits.on_reached("replicated:1", 1, 5);
  CHECK(answers.words == "");
  waits.on_reached("replicated:1", 2, 9);
  CHECK(answers.words == "a");
  waits.on_reached("replicated:1", 1, 6);
  CHECK(answers.words == "a b");
  CHECK(waits.size() == 1);
}

TEST_CASE("what is not reached in time is said once, and nothing stays behind") {
  LevelWaits waits;
  Answers answers;
  waits.add("delivered:x", {Position(1, 5), Position(2, 5)}, kStart + 2s, answers.done("late"));
  waits.add("delivered:x", {Position(1, 5)}, kStart + 1s, answers.done("soon"));
  REQUIRE(waits.wake_at() == kStart + 1s);

  waits.on_tick(kStart + 1s);
  CHECK(answers.words == "soon!");
  waits.on_reached("delivered:x", 1, 5);
  waits.on_tick(kStart + 5s);
  waits.on_reached("delivered:x", 2, 5);

  CHECK(answers.words == "soon! late!");
  CHECK(waits.empty());
  CHECK(waits.logs("delivered:x").empty());
  CHECK(!waits.wake_at());
}

TEST_CASE("who has nothing to wait for is answered at once") {
  LevelWaits waits;
  Answers answers;
  waits.add("replicated:3", {}, kStart, answers.done("a"));

  CHECK(answers.words == "a");
  CHECK(waits.empty());
}

TEST_SUITE_END();

}  // namespace marram
