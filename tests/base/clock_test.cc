#include "core/base/clock.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace marram;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{std::chrono::microseconds(1'795'843'415'000'123)};

std::string read_back(std::string_view text) {
  const auto time = parse_time(text, kNow);
  return time ? iso_text(*time) : "refused";
}

}  // namespace

TEST_SUITE_BEGIN("base/clock");

TEST_CASE("a time is written in UTC with microseconds") {
  CHECK(iso_text(WallTime()) == "1970-01-01T00:00:00.000000Z");
  CHECK(iso_text(kNow) == "2026-11-28T05:23:35.000123Z");
  CHECK(iso_text(WallTime(-1us)) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a time is read in the forms of RFC 3339") {
  CHECK(read_back("2026-11-24T14:00:00Z") == "2026-11-24T14:00:00.000000Z");
  CHECK(read_back("2026-11-24 14:00") == "2026-11-24T14:00:00.000000Z");
  CHECK(read_back("2026-11-24") == "2026-11-24T00:00:00.000000Z");
  CHECK(read_back("2026-11-24t14:00:00z") == "2026-11-24T14:00:00.000000Z");
  CHECK(read_back("2026-11-24T14:00:00.5Z") == "2026-11-24T14:00:00.500000Z");
  CHECK(read_back("2026-11-24T14:00:00.123456789Z") == "2026-11-24T14:00:00.123456Z");
  CHECK(read_back("2026-11-24T14:00:00+02:00") == "2026-11-24T12:00:00.000000Z");
  CHECK(read_back("2026-11-24T14:00:00-0930") == "2026-11-24T23:30:00.000000Z");
  CHECK(read_back("2024-02-29") == "2024-02-29T00:00:00.000000Z");
  CHECK(read_back("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00.000000Z");
}

TEST_CASE("a time that does not exist is refused") {
  for (const char* text : {"",
                           "-",
                           "now",
                           "2026",
                           "2026-13-01",
                           "2026-02-29",
                           "2026-11-24T",
                           "2026-11-24T24:00:00Z",
                           "2026-11-24T14:60:00Z",
                           "2026-11-24T14:00:61Z",
                           "2026-11-24T14:00:00.Z",
                           "2026-11-24T14:00:00+24:00",
                           "2026-11-24T14:00:00+02:60",
                           "2026-11-24T14:00:00Zx",
                           "2026-11-24T14:00:00+2",
                           "20261124",
                           "2026-11-24T1:00:00Z",
                           "-1",
                           "-x",
                           "--1h"}) {
    CAPTURE(std::string(text));
    CHECK(read_back(text) == "refused");
  }
}

TEST_CASE("a refusal shows the text and two examples") {
  const auto time = parse_time("yesterday", kNow);

  REQUIRE(!time);
  CHECK(time.error().code == Errc::Invalid);
  CHECK(time.error().message.find("\"yesterday\"") != std::string::npos);
  CHECK(time.error().message.find("-1h") != std::string::npos);
}

TEST_CASE("a minus and a duration is that long ago") {
  CHECK(parse_time("-1h", kNow) == kNow - 1h);
  CHECK(parse_time("-90s", kNow) == kNow - 90s);
  CHECK(parse_time("-0", kNow) == kNow);
}

TEST_CASE("every time from 1000 to 9999 survives being written and read") {
  const bool holds = rc::check([] {
    const auto micros =
        *rc::gen::inRange<std::int64_t>(-30'610'224'000'000'000, 253'402'300'800'000'000);
    const WallTime time{Duration(micros)};
    const auto back = parse_time(iso_text(time), kNow);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == time);
  });
  CHECK(holds);
}

TEST_CASE("no text makes the reader of times fail in another way than by refusing") {
  const bool holds = rc::check([](const std::string& tail) {
    const std::string text = std::string("2026-11-24T14:00:00").substr(0, tail.size() % 20) + tail;
    const auto time = parse_time(text, kNow);
    RC_ASSERT(time.has_value() || time.error().code == Errc::Invalid);
  });
  CHECK(holds);
}

TEST_CASE("the system's clock does not go back") {
  const Clock& clock = Clock::system();
  const TimePoint first = clock.now();

  CHECK(clock.now() >= first);
  CHECK(clock.wall() > *parse_time("2020-01-01", kNow));
}
