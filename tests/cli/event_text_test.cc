#include "gateway/cli/event_text.h"

#include <doctest/doctest.h>

namespace marram::cli {

namespace {

EventView event() {
  EventView view;
  view.topic = "plant/1/temp";
  view.payload = "21.5";
  view.id = "r-1";
  view.time = WallTime(std::chrono::seconds(1'800'000'000));
  view.recorded = WallTime(std::chrono::seconds(1'800'000'001));
  view.position = Position(3, 17);
  return view;
}

}  // namespace

TEST_SUITE_BEGIN("cli/event_text");

TEST_CASE("an event is a line of JSON with what is set") {
  CHECK(event_json(event(), "n.1-a.events", 2) ==
        R"({"id":"r-1","topic":"plant/1/temp","time":"2027-01-15T08:00:00.000000Z",)"
        R"("recorded":"2027-01-15T08:00:01.000000Z","log":"n.1-a.events","seq":17,"attempt":2,)"
        R"("payload":"21.5"})");
}

TEST_CASE("headers keep their order and may repeat") {
  std::string packed;
  REQUIRE(append_header(packed, "b", "1"));
  REQUIRE(append_header(packed, "a", "2"));
  REQUIRE(append_header(packed, "b", "3"));
  EventView view = event();
  view.headers = packed;
  view.key = "k";
  view.client = "dev-1";
  view.content_type = "text/plain";

  const std::string json = event_json(view, "log", 1);

  CHECK(json.find(R"("headers":[["b","1"],["a","2"],["b","3"]])") != std::string::npos);
  CHECK(json.find(R"("key":"k")") != std::string::npos);
  CHECK(json.find(R"("content_type":"text/plain","client":"dev-1")") != std::string::npos);
}

TEST_CASE("a payload that is no text is base64") {
  EventView view = event();
  view.payload = std::string_view("\xff\x00", 2);

  CHECK(event_json(view, "log", 1).ends_with(R"("payload_base64":"/wA="})"));
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
}

TEST_CASE("a payload cannot drive the terminal, and goes into a pipe as it is") {
  EventView view = event();
  view.payload = "\x1b[2J\xc2\x9bgr\xc3\xbcn\xff";

  CHECK(event_line(view, true) == "plant/1/temp \\x1b[2J\\xc2\\x9bgr\xc3\xbcn\\xff");
  CHECK(event_line(view, false) == "plant/1/temp \x1b[2J\xc2\x9bgr\xc3\xbcn\xff");
}

TEST_SUITE_END();

}  // namespace marram::cli
