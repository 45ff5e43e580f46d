#include "core/base/quantity.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace marram;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("base/quantity");

TEST_CASE("a duration is a number and a unit") {
  CHECK(parse_duration("250us") == 250us);
  CHECK(parse_duration("20ms") == 20ms);
  CHECK(parse_duration("30s") == 30s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("7d") == 168h);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("30 s") == 30s);
  CHECK(parse_duration("0") == 0us);
  CHECK(parse_duration("0s") == 0us);
  CHECK(parse_duration("36525d") == Duration(36525LL * 86'400'000'000));
}

TEST_CASE("a duration without a unit, or beyond a hundred years, is refused") {
  for (const char* text :
       {"", "5", "s", "-5s", "+5s", "5 parsecs", "5S", "1.2.3s", ".5s", "1e3s", "36526d",
        "99999999999999999999d", "inf", "nan", "5s ", " 5s", "0x10s"}) {
    CAPTURE(std::string(text));
    const auto duration = parse_duration(text);
    REQUIRE(!duration);
    CHECK(duration.error().code == Errc::Invalid);
    CHECK(duration.error().message.find("such as 30s") != std::string::npos);
  }
}

TEST_CASE("a size is a number and a unit, or bytes") {
  CHECK(parse_bytes("512") == 512U);
  CHECK(parse_bytes("512B") == 512U);
  CHECK(parse_bytes("64KiB") == 65'536U);
  CHECK(parse_bytes("256 MiB") == 268'435'456U);
  CHECK(parse_bytes("1GiB") == 1'073'741'824U);
  CHECK(parse_bytes("1.5TiB") == 1'649'267'441'664U);
  CHECK(parse_bytes("2kB") == 2'000U);
  CHECK(parse_bytes("3MB") == 3'000'000U);
  CHECK(parse_bytes("4GB") == 4'000'000'000U);
  CHECK(parse_bytes("5TB") == 5'000'000'000'000U);
}

TEST_CASE("a size that cannot be read is refused") {
  for (const char* text :
       {"", "MiB", "-1", "1 KB", "1kib", "1Gi", "lots", "9999999999TiB", "1,5MB"}) {
    CAPTURE(std::string(text));
    const auto bytes = parse_bytes(text);
    REQUIRE(!bytes);
    CHECK(bytes.error().code == Errc::Invalid);
    CHECK(bytes.error().message.find("such as 256MiB") != std::string::npos);
  }
}

TEST_CASE("a share is a percentage from 0 to 100") {
  CHECK(parse_share("5%").value() == doctest::Approx(0.05));
  CHECK(parse_share("0%").value() == doctest::Approx(0));
  CHECK(parse_share("100%").value() == doctest::Approx(1));
  CHECK(parse_share("12.5 %").value() == doctest::Approx(0.125));
  for (const char* text : {"", "5", "%", "-1%", "101%", "0.05", "5%%"}) {
    CAPTURE(std::string(text));
    CHECK(!parse_share(text));
  }
}

TEST_CASE("durations and sizes are written for people") {
  CHECK(duration_text(0us) == "0us");
  CHECK(duration_text(999us) == "999us");
  CHECK(duration_text(250ms) == "250ms");
  CHECK(duration_text(1500ms) == "1.5s");
  CHECK(duration_text(59'990ms) == "60s");
  CHECK(duration_text(90s) == "1m 30s");
  CHECK(duration_text(2h + 5min) == "2h 5m");
  CHECK(duration_text(50h) == "2d 2h");
  CHECK(duration_text(-90s) == "-1m 30s");
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(std::uint64_t{3} << 30) == "3.0 GiB");
  CHECK(bytes_text(std::uint64_t{5000} << 40) == "5000.0 TiB");
}

TEST_CASE("every whole number of each unit is read exactly") {
  const bool holds = rc::check([] {
    const auto seconds = *rc::gen::inRange<std::int64_t>(0, 3'000'000'000);
    RC_ASSERT(parse_duration(std::to_string(seconds) + "s") ==
              Duration(std::chrono::seconds(seconds)));
    const auto bytes = *rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << 50);
    RC_ASSERT(parse_bytes(std::to_string(bytes)) == bytes);
    RC_ASSERT(parse_bytes(std::to_string(bytes) + "KiB") == bytes * 1024);
  });
  CHECK(holds);
}

TEST_CASE("no text makes a reader of quantities fail in another way than by refusing") {
  const bool holds = rc::check([](const std::string& text) {
    const auto duration = parse_duration(text);
    RC_ASSERT(duration.has_value() || duration.error().code == Errc::Invalid);
    const auto bytes = parse_bytes(text);
    RC_ASSERT(bytes.has_value() || bytes.error().code == Errc::Invalid);
    const auto share = parse_share(text);
    RC_ASSERT(share.has_value() || share.error().code == Errc::Invalid);
  });
  CHECK(holds);
}
