#include "core/event/topic.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>

#include "tests/event/naive_match.h"

using namespace marram;

namespace {

std::string why(const Status& status) { return status ? "ok" : status.error().message; }

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("event/topic");

TEST_CASE("topics of MQTT 5.0, section 4.7, are taken") {
  for (const char* topic :
       {"a", "/", "//", "/finance", "a/", "a//b", "sport/tennis/player1", "ACCOUNTS",
        "Accounts payable", "$SYS/broker/uptime", "gr\xC3\xBC\xC3\x9F/\xF0\x9F\x8C\xBE", " ",
        "a b/c d", "-", "a.b.c>*"}) {
    CAPTURE(std::string(topic));
    CHECK(check_topic(topic, Limits()).has_value());
    CHECK(check_filter(topic, Limits()).has_value());
  }
}

TEST_CASE("what is no topic is refused with its place") {
  const Limits limits;

  CHECK(why(check_topic("", limits)) == "topic: is empty");
  CHECK(has(why(check_topic("a/+/c", limits)), "a/+/c"));
  CHECK(has(why(check_topic("a\nb", limits)), "\"a?b\" has a byte at offset 1"));
  for (const std::string& topic :
       {std::string("a/#"), std::string("#"), std::string("+"), std::string("a+"),
        std::string("a#"), std::string("a\0b", 3), std::string("\0", 1), std::string("a\x7F"),
        std::string("\xC2\x85"), std::string("\xFF"), std::string("a/\xED\xA0\x80"),
        std::string("\xC0\xAF")}) {
    CAPTURE(topic);
    const Status status = check_topic(topic, limits);
    REQUIRE(!status);
    CHECK(status.error().code == Errc::Invalid);
    CHECK(status.error().message.starts_with("topic: "));
  }
}

TEST_CASE("filters have their wildcards as whole levels, and # at the end") {
  for (const char* filter : {"#", "+", "a/#", "+/#", "+/tennis/#", "sport/+/player1", "/+", "+/+",
                             "/#", "a/+", "+/+/+", "$SYS/#", "$SYS/monitor/+", "+//+"}) {
    CAPTURE(std::string(filter));
    CHECK(check_filter(filter, Limits()).has_value());
    CHECK(!check_topic(filter, Limits()));
  }
  for (const char* filter : {"", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "+a",
                             "a/b+/c", "##", "#/", "#/a", "++", "a/+#", "a/#b", "\x01", "\xFF/#"}) {
    CAPTURE(std::string(filter));
    const Status status = check_filter(filter, Limits());
    REQUIRE(!status);
    CHECK(status.error().code == Errc::Invalid);
    CHECK(status.error().message.starts_with("filter: "));
  }
}

TEST_CASE("a topic or filter over a limit is refused, and the config key is named") {
  Limits limits;
  limits.topic_bytes_max = 10;
  limits.topic_levels_max = 3;

  CHECK(check_topic("0123456789", limits).has_value());
  CHECK(check_filter("a/+/#", limits).has_value());
  for (const Status& status :
       {check_topic("0123456789a", limits), check_filter("0123456789a", limits)}) {
    REQUIRE(!status);
    CHECK(status.error().code == Errc::TooLarge);
    CHECK(has(status.error().message, "limits.topic_bytes_max"));
  }
  for (const Status& status : {check_topic("a/b/c/d", limits), check_filter("a/b/c/#", limits)}) {
    REQUIRE(!status);
    CHECK(status.error().code == Errc::TooLarge);
    CHECK(has(status.error().message, "limits.topic_levels_max"));
  }
}

TEST_CASE("a refusal does not repeat a long text whole") {
  const std::string topic(5000, 'x');

  const Status status = check_topic(topic, Limits());

  REQUIRE(!status);
  CHECK(status.error().message.size() < 200);
}

TEST_CASE("names have no slashes, wildcards or control characters") {
  const Limits limits;
  for (const char* name : {"a", "mqtt:dev-1", "route:cloud", "gr\xC3\xBCn", "a b", "$x", "a.b@c"}) {
    CAPTURE(std::string(name));
    CHECK(check_name("consumer", name, limits).has_value());
  }
  for (const char* name : {"", "a/b", "a+", "#", "a\tb", "\xFF", "a\x7F"}) {
    CAPTURE(std::string(name));
    const Status status = check_name("consumer", name, limits);
    REQUIRE(!status);
    CHECK(status.error().code == Errc::Invalid);
    CHECK(status.error().message.starts_with("consumer: "));
  }
  CHECK(check_name("consumer", std::string(256, 'n'), limits).has_value());
  CHECK(check_name("consumer", std::string(257, 'n'), limits).error().code == Errc::TooLarge);
}

TEST_CASE("the examples of MQTT 5.0, sections 4.7.1 and 4.7.2, match as written there") {
  CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1"));
  CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
  CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
  CHECK(matches("sport/#", "sport"));
  CHECK(matches("#", "sport/tennis"));
  CHECK(matches("sport/tennis/+", "sport/tennis/player2"));
  CHECK(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
  CHECK(!matches("sport/+", "sport"));
  CHECK(matches("sport/+", "sport/"));
  CHECK(matches("+/+", "/finance"));
  CHECK(matches("/+", "/finance"));
  CHECK(!matches("+", "/finance"));
  CHECK(!matches("#", "$SYS/uptime"));
  CHECK(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
  CHECK(matches("$SYS/#", "$SYS/"));
  CHECK(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
}

TEST_CASE("levels are compared whole, with case, and empty ones count") {
  CHECK(matches("a", "a"));
  CHECK(!matches("a", "A"));
  CHECK(!matches("a", "ab"));
  CHECK(!matches("ab", "a"));
  CHECK(!matches("a", "a/"));
  CHECK(!matches("a/", "a"));
  CHECK(matches("a//b", "a//b"));
  CHECK(!matches("a/b", "a//b"));
  CHECK(matches("a/+/b", "a//b"));
  CHECK(matches("/#", "/"));
  CHECK(!matches("/#", "a"));
  CHECK(!matches("a/#", "ab"));
  CHECK(matches("a/+/#", "a/b"));
  CHECK(!matches("a/+/#", "a"));
}

TEST_CASE("matching agrees with the words of the specification on any filter and topic") {
  const bool holds = rc::check([] {
    const std::string filter = *tests::any_filter();
    const std::string topic = *tests::any_topic();
    RC_ASSERT(check_filter(filter, Limits()).has_value());
    RC_ASSERT(check_topic(topic, Limits()).has_value());
    RC_CLASSIFY(tests::naive_match(filter, topic), "matches");
    RC_ASSERT(matches(filter, topic) == tests::naive_match(filter, topic));
  });
  CHECK(holds);
}

TEST_CASE("no bytes make the checks fail in another way than by refusing") {
  const bool holds = rc::check([](const std::string& text) {
    const Status topic = check_topic(text, Limits());
    const Status filter = check_filter(text, Limits());
    if (topic) RC_ASSERT(filter.has_value());
    if (!topic) RC_ASSERT(topic.error().code == Errc::Invalid);
  });
  CHECK(holds);
}

TEST_CASE("filters overlap where some topic matches both") {
  CHECK(overlaps("a/b", "a/b"));
  CHECK(overlaps("a/+", "+/b"));
  CHECK(overlaps("a/#", "a"));
  CHECK(overlaps("a", "a/#"));
  CHECK(overlaps("#", "x/y/z"));
  CHECK(overlaps("a/+/c", "a/#"));
  CHECK(overlaps("+/+", "a/#"));
  CHECK(!overlaps("a/b", "a/c"));
  CHECK(!overlaps("a/b", "a"));
  CHECK(!overlaps("a", "a/+"));
  CHECK(!overlaps("a/+/c", "a/+/d"));
  CHECK(!overlaps("a/b/#", "a"));
  CHECK(!overlaps("a/b/#", "a/c/#"));
}

TEST_CASE("filters that match the same topic overlap") {
  const bool holds = rc::check([] {
    const std::string a = *tests::any_filter();
    const std::string b = *tests::any_filter();
    const std::string topic = *tests::any_topic();
    if (matches(a, topic) && matches(b, topic)) RC_ASSERT(overlaps(a, b));
  });
  CHECK(holds);
}
