// The small pure parts: access, windows, the session book, endpoints, deadlines.
#include <doctest/doctest.h>

#include "gateway/mqtt/access.h"
#include "gateway/mqtt/deadlines.h"
#include "gateway/mqtt/endpoint.h"
#include "gateway/mqtt/publish.h"
#include "gateway/mqtt/session_book.h"
#include "gateway/mqtt/windows.h"
#include "tests/mqtt/raw_client.h"

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/parts");

TEST_CASE("an access filter covers what is narrower than it, and nothing else") {
  struct Case {
    std::string outer;
    std::string inner;
    bool covered;
  };
  const std::vector<Case> cases = {
      {"#", "a/b", true},      {"#", "#", true},     {"#", "$SYS/#", false}, {"a/#", "a", true},
      {"a/#", "a/+/c", true},  {"a/#", "a/#", true}, {"a/#", "b/#", false},  {"a/#", "#", false},
      {"a/#", "+/b", false},   {"a/+", "a/b", true}, {"a/+", "a/+", true},   {"a/+", "a/#", false},
      {"a/+", "a/b/c", false}, {"a/b", "a/b", true}, {"a/b", "a/+", false},  {"a/b", "a", false},
      {"a", "a/b", false},     {"+/+", "+/b", true}, {"+", "$x", false},     {"$x/#", "$x/y", true},
      {"+/#", "a", true},
  };
  for (const Case& wanted : cases) {
    CAPTURE(wanted.outer);
    CAPTURE(wanted.inner);
    CHECK(covers(wanted.outer, wanted.inner) == wanted.covered);
  }
}

TEST_CASE("without filters a client may do nothing") {
  const Access nothing({}, {});
  CHECK_FALSE(nothing.may_publish("a"));
  CHECK_FALSE(nothing.may_subscribe("a"));
}

TEST_CASE("acknowledgements leave in the order of the publishes") {
  AckQueue acks;
  std::string out;
  for (const std::uint16_t id : {1, 2, 3, 4}) acks.push(id);

  acks.answer(2, Reason::NotAuthorized);
  acks.flush(Version::V5, out);
  CHECK(out.empty());
  acks.answer(1, Reason::Success);
  acks.flush(Version::V5, out);
  acks.answer(4, Reason::Success);
  acks.answer(3, Reason::Success);
  acks.flush(Version::V5, out);

  CHECK(words_of(out, Version::V5) == "puback id1, puback id2 87, puback id3, puback id4");
  CHECK(acks.size() == 0);
}

TEST_CASE("an acknowledgement queue that is never empty stays small") {
  AckQueue acks;
  std::string out;
  acks.push(1);
  for (int i = 1; i < 100'000; ++i) {
    acks.push(static_cast<std::uint16_t>(i % 60'000 + 1));
    acks.answer(static_cast<std::uint16_t>((i - 1) % 60'000 + 1), Reason::Success);
    acks.flush(Version::V311, out);
    out.clear();
    REQUIRE(acks.size() == 1);
  }
}

TEST_CASE("packet ids that are in use are not given again") {
  OutWindow window;
  std::vector<std::uint16_t> ids;
  for (std::uint64_t i = 1; i <= 1000; ++i) ids.push_back(window.add(Position(1, i)));
  const std::uint16_t slow = ids[10];

  for (std::uint64_t round = 0; round < 70'000; ++round) {
    const std::uint16_t id = window.add(Position(1, 2000 + round));
    REQUIRE(id != 0);
    REQUIRE(id != slow);
    REQUIRE(window.take(id) == Position(1, 2000 + round));
  }

  CHECK(window.take(slow) == Position(1, 11));
  CHECK_FALSE(window.take(slow));
  CHECK_FALSE(window.take(0));
  CHECK(window.size() == 999);
}

TEST_CASE("endpoints are read, and what is none is refused with an example") {
  const auto v4 = parse_endpoint("mqtt://127.0.0.1:0");
  REQUIRE(v4);
  CHECK(v4->loopback);
  CHECK(v4->port == 0);
  const auto v6 = parse_endpoint("mqtts://[::]");
  REQUIRE(v6);
  CHECK_FALSE(v6->loopback);
  CHECK(v6->text() == "mqtts://[::]:8883");
  CHECK(parse_endpoint("mqtt://localhost")->text() == "mqtt://127.0.0.1:1883");
  for (const char* bad : {"", "1883", "tcp://127.0.0.1", "mqtt://", "mqtt://host.example:1",
                          "mqtt://127.0.0.1:65536", "mqtt://127.0.0.1:x", "mqtt://[::1"}) {
    const auto refused = parse_endpoint(bad);
    CAPTURE(std::string(bad));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::Config);
    CHECK(refused.error().message.find("mqtt://127.0.0.1:1883") != std::string::npos);
  }
}

TEST_CASE("kept sessions are found again, and expire") {
  using std::chrono::seconds;
  const TimePoint start{};
  std::vector<ConsumerInfo> stored(3);
  stored[0].name = "mqtt:one";
  stored[0].attributes = to_attributes(60, {{"a/#", {.qos = 1, .identifier = 7}}});
  stored[1].name = "mqtt:strange";
  stored[1].attributes = "not ours";
  stored[2].name = "route:cloud";
  SessionBook book;
  book.load(stored, start);

  CHECK(book.size() == 1);
  REQUIRE(book.find("one") != nullptr);
  CHECK(book.find("one")->session.subscriptions.at("a/#").identifier == 7);
  CHECK(book.take_expired(start + seconds(59)).empty());
  book.attach("one");
  CHECK(book.take_expired(start + seconds(61)).empty());
  book.keep("one", {60, {}}, false, start + seconds(100));
  const auto expired = book.take_expired(start + seconds(100));
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].client_id == "one");
  CHECK_FALSE(expired[0].durable);
  CHECK(book.size() == 0);
}

TEST_CASE("attributes that are not ours give no session") {
  for (const char* bad : {"", "[]", "{}", "{\"expiry\":\"x\",\"filters\":[]}",
                          "{\"expiry\":1,\"filters\":[{}]}", "{\"expiry\":1,\"filters\":[7]}"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(from_attributes(bad));
  }
  const Subscriptions::Table table{
      {"a", {.qos = 0, .no_local = true, .retain_as_published = true, .identifier = 1}}};
  CHECK(from_attributes(to_attributes(5, table))->subscriptions == table);
  CHECK(from_attributes(to_attributes(5, table))->expiry_s == 5);
}

TEST_CASE("deadlines come in the order of time") {
  using std::chrono::seconds;
  Deadlines deadlines;
  const TimePoint start{};
  deadlines.add(start + seconds(2), {2, 1});
  deadlines.add(start + seconds(1), {1, 1});
  CHECK_FALSE(deadlines.take_due(start));
  CHECK(deadlines.first() == start + seconds(1));
  CHECK(deadlines.take_due(start + seconds(9)) == Handle{1, 1});
  CHECK(deadlines.take_due(start + seconds(9)) == Handle{2, 1});
  CHECK_FALSE(deadlines.first());
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
