#include "core/wire/beacon.h"

#include <doctest/doctest.h>

#include "core/wire/writer.h"

namespace marram::wire {

namespace {

const std::string kKey = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

// What is wrong with it, or nothing.
std::string refusal(const std::string& datagram) {
  const auto beacon = decode_beacon(datagram);
  return beacon ? "" : beacon.error().message;
}

Writer beacon(std::size_t elements, std::uint64_t version = kBeaconVersion) {
  Writer out(64);
  out.array(elements).text("marram").number(version);
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("wire/beacon");

TEST_CASE("what later versions append to a beacon is passed over, and so is another version") {
  const auto more =
      decode_beacon(beacon(7).text(kKey).number(7400).flag(true).nil().text("x").take());
  REQUIRE(more);
  REQUIRE(more->has_value());
  CHECK((*more)->key == kKey);
  CHECK((*more)->port == 7400);
  CHECK((*more)->asks);

  for (const std::uint64_t version : {0, 2}) {
    const auto other = decode_beacon(beacon(3, version).nil().take());
    REQUIRE(other);
    CHECK_FALSE(other->has_value());
  }
}

TEST_CASE("a datagram that is no beacon is refused with what is wrong") {
  CHECK(refusal("") != "");
  CHECK(refusal("hello") != "");
  CHECK(refusal(beacon(2).take()) == "wire: in a beacon: beacon is too short");
  CHECK(refusal(beacon(5).text("short").number(1).flag(false).take()) ==
        "wire: in a beacon: key has 5 bytes, not 40");
  CHECK(refusal(beacon(5).text(kKey).number(0).flag(false).take()) ==
        "wire: in a beacon: port is 0");
  CHECK(refusal(beacon(5).text(kKey).number(65'536).flag(false).take()) ==
        "wire: in a beacon: port is 65536, over 65535");
  CHECK(refusal(beacon(5).text(kKey).number(1).number(1).take()) ==
        "wire: in a beacon: asks is an integer, not a boolean");
  CHECK(refusal(Writer(64).array(2).text("mdns").number(1).take()) ==
        "wire: in a beacon: magic is not \"marram\"");
  CHECK(refusal(beacon(5).text(kKey).number(1).flag(false).take() + "x") != "");
}

TEST_CASE("a datagram over the limit is refused before it is read") {
  const auto large = decode_beacon(
      beacon(6).text(kKey).number(1).flag(false).text(std::string(kBeaconBytesMax, 'x')).take());

  REQUIRE_FALSE(large);
  CHECK(large.error().code == Errc::TooLarge);
}

TEST_CASE("a beacon that is cut anywhere is refused") {
  const std::string whole = encode_beacon({kKey, 7400, false});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(refusal(whole.substr(0, size)) != "");
  }
}

TEST_SUITE_END();

}  // namespace marram::wire
