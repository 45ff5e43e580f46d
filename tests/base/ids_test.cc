#include "core/base/ids.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

using namespace marram;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{1'795'843'415'000'123us};

std::uint64_t millis_of(const Uuid& uuid) {
  std::uint64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = millis << 8 | uuid.bytes.at(i);
  return millis;
}

}  // namespace

TEST_SUITE_BEGIN("base/ids");

TEST_CASE("an id is a UUIDv7 of its time") {
  UuidMaker maker;

  const Uuid uuid = maker.make(kNow);

  CHECK(millis_of(uuid) == 1'795'843'415'000U);
  CHECK((uuid.bytes[6] >> 4) == 7);
  CHECK((uuid.bytes[8] >> 6) == 2);
  CHECK(!uuid.is_nil());
  CHECK(Uuid().is_nil());
}

TEST_CASE("ids grow, also within a millisecond and when the clock goes back") {
  const bool holds = rc::check([](const std::vector<std::int16_t>& steps) {
    UuidMaker maker;
    WallTime now = kNow;
    Uuid last;
    for (const std::int16_t step : steps) {
      now += Duration(step);
      const Uuid next = maker.make(now);
      RC_ASSERT(next > last);
      RC_ASSERT(next.text() > last.text());
      last = next;
    }
  });
  CHECK(holds);
}

TEST_CASE("ids grow past the 4,096 of one millisecond") {
  UuidMaker maker;
  std::set<Uuid> seen;
  Uuid last;

  for (int i = 0; i < 10'000; ++i) {
    const Uuid next = maker.make(kNow);
    REQUIRE(next > last);
    seen.insert(next);
    last = next;
  }

  CHECK(seen.size() == 10'000);
  CHECK(millis_of(last) == 1'795'843'415'002U);
}

TEST_CASE("a clock before 1970 does not freeze the time of later ids") {
  UuidMaker maker;

  const Uuid early = maker.make(WallTime(-5s));
  const Uuid late = maker.make(kNow);

  CHECK(late > early);
  CHECK(millis_of(late) == 1'795'843'415'000U);
}

TEST_CASE("two makers at the same moment make different ids") {
  UuidMaker one;
  UuidMaker other;

  CHECK(one.make(kNow) != other.make(kNow));
}

TEST_CASE("after a fork, parent and child make different ids") {
  UuidMaker maker;
  const std::uint64_t generation = fork_generation();
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);

  const pid_t child = ::fork();
  if (child == 0) {
    const Uuid uuid = maker.make(kNow);
    const bool counted = fork_generation() == generation + 1;
    const bool sent = ::write(pipe_ends[1], uuid.bytes.data(), 16) == 16;
    ::_exit(counted && sent ? 0 : 1);
  }
  REQUIRE(child > 0);
  Uuid theirs;
  CHECK(::read(pipe_ends[0], theirs.bytes.data(), 16) == 16);
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);

  CHECK(status == 0);
  CHECK(theirs != maker.make(kNow));
  CHECK(fork_generation() == generation);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST_CASE("the text of an id is canonical and reads back") {
  const bool holds = rc::check([](const std::array<std::uint8_t, 16>& bytes) {
    const Uuid uuid{bytes};
    const std::string text = uuid.text();
    RC_ASSERT(text.size() == 36U);
    RC_ASSERT(Uuid::parse(text) == uuid);
  });
  CHECK(holds);
  CHECK(Uuid{{0x01, 0x92, 0xf1, 0xa4, 0, 1, 0x72, 3, 0x84, 5, 6, 7, 8, 9, 10, 255}}.text() ==
        "0192f1a4-0001-7203-8405-060708090aff");
}

TEST_CASE("what is not the canonical text of a UUID is not taken for one") {
  for (const char* text :
       {"", "0192f1a4", "0192F1A4-0001-7203-8405-060708090AFF", "0192f1a400017203840506070809-0aff",
        "0192f1a4-0001-7203-8405-060708090af", "0192f1a4-0001-7203-8405-060708090affa",
        "0192f1a4-0001-7203-8405-060708090afg", "{192f1a4-0001-7203-8405-060708090af}",
        "0192f1a4_0001-7203-8405-060708090aff"}) {
    CAPTURE(std::string(text));
    CHECK(!Uuid::parse(text));
  }
}

TEST_CASE("random text has two digits a byte and does not repeat") {
  CHECK(random_hex(0).empty());
  CHECK(random_hex(8).size() == 16);
  CHECK(random_hex(8).find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(random_hex(16) != random_hex(16));
}
