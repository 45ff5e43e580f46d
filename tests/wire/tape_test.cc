#include "core/wire/tape.h"

#include <doctest/doctest.h>

#include "core/wire/frames.h"

TEST_SUITE_BEGIN("wire/tape");

using namespace marram;

namespace {

std::string why(std::string_view bytes) {
  wire::Tape tape;
  const auto status = tape.load(bytes);
  return status ? "accepted" : status.error().message;
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

}  // namespace

TEST_CASE("what no frame has is refused, with its place") {
  CHECK(why("") == "wire: a frame of 0 bytes has an end before its time at offset 0");
  CHECK(why("\x81\x01\x01") == "wire: a frame of 3 bytes has a map at offset 0");
  CHECK(why(bytes({0x91, 0xCA, 0, 0, 0, 0})).find("a float") != std::string::npos);
  CHECK(why(bytes({0x91, 0xD4, 0, 0})).find("an extension") != std::string::npos);
  CHECK(why("\xC1").find("no msgpack") != std::string::npos);
  CHECK(why("\x90\x90").find("bytes behind the end") != std::string::npos);
}

TEST_CASE("announced lengths that are not there cost nothing and are refused") {
  CHECK(why(bytes({0xDD, 0xFF, 0xFF, 0xFF, 0xFF})) != "accepted");
  CHECK(why(bytes({0xDD, 0x00, 0x01, 0x00, 0x00})) != "accepted");
  CHECK(why(bytes({0xC6, 0xFF, 0xFF, 0xFF, 0xFF})) != "accepted");
  CHECK(why(bytes({0xDB, 0x7F, 0xFF, 0xFF, 0xFF})) != "accepted");
  CHECK(why(bytes({0xC9, 0xFF, 0xFF, 0xFF, 0xFF, 1})) != "accepted");
}

TEST_CASE("arrays are nested up to a limit, values counted up to another") {
  const std::string deep(wire::kDepthMax, '\x91');
  CHECK(why(deep + "\xC0") == "accepted");
  CHECK(why(deep + "\x91\xC0").find("too deep") != std::string::npos);

  const std::string nils(wire::kTokensMax - 2, '\xC0');
  const std::string wide = bytes({0x92, 0xDD, 0x00, 0x07, 0xFF, 0xFE}) + nils;
  CHECK(why(wide + "\xC0").find("more values") != std::string::npos);
}

TEST_CASE("a reader keeps the first thing that was not as asked for") {
  wire::Tape tape;
  REQUIRE(tape.load(bytes({0x93, 0x01, 0xA1, 'x', 0xD0, 0xFF})));
  wire::Reader in(tape);

  const auto array = in.array("frame", 3, 3);
  CHECK(in.number("verb", 5) == 1);
  CHECK(in.number("count") == 0);
  CHECK(in.text("name").empty());
  in.leave(array);

  CHECK(in.error() == "count is a text, not an integer");
}

TEST_CASE("a reader passes over what is left of an array, however deep") {
  wire::Tape tape;
  REQUIRE(tape.load(bytes({0x92, 0x93, 0x01, 0x91, 0x91, 0x05, 0xC0, 0x2A})));
  wire::Reader in(tape);

  in.array("frame", 2, 2);
  const auto inner = in.array("inner", 1, 9);
  CHECK(in.number("first") == 1);
  in.leave(inner);

  CHECK(in.number("second") == 42);
  CHECK(in.ok());
}

TEST_CASE("negative numbers are read where they may be, and nowhere else") {
  wire::Tape tape;
  REQUIRE(tape.load(bytes({0x93, 0xFF, 0x07, 0xFF})));
  wire::Reader in(tape);

  in.array("frame", 3, 3);
  CHECK(in.signed_number("time") == -1);
  CHECK(in.signed_number("time") == 7);
  CHECK(in.number("count") == 0);

  CHECK(in.error() == "count is a negative integer, not an integer");
}

TEST_SUITE_END();
