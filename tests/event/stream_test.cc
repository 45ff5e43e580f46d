#include "core/event/stream.h"

#include <doctest/doctest.h>

using namespace marram;

namespace {

std::string refusal(std::vector<StreamOptions> streams) {
  const auto table = StreamTable::make(std::move(streams), Durability::Fsync);
  return table ? "" : table.error().message;
}

}  // namespace

TEST_SUITE_BEGIN("event/stream");

TEST_CASE("without streams, `events` takes all topics") {
  const auto table = StreamTable::make({}, Durability::Os);

  REQUIRE(table);
  REQUIRE(table->streams().size() == 1);
  CHECK(table->streams()[0].name == "events");
  CHECK(table->streams()[0].durability == Durability::Os);
  CHECK(table->streams()[0].on_full == OnFull::Reject);
  CHECK(table->find("any/topic") == 0);
}

TEST_CASE("the first stream with a filter that matches has the topic") {
  const auto table = StreamTable::make({{.name = "alarms", .topics = {"plant/+/alarm/#", "fire"}},
                                        {.name = "plant", .topics = {"plant/#"}}},
                                       Durability::Fsync);

  REQUIRE(table);
  const auto stream = [&](std::string_view topic) {
    return table->streams()[table->find(topic)].name;
  };
  CHECK(stream("plant/1/alarm/hot") == "alarms");
  CHECK(stream("plant/1/alarm") == "alarms");
  CHECK(stream("fire") == "alarms");
  CHECK(stream("plant/1/temp") == "plant");
  CHECK(stream("office/temp") == "events");
}

TEST_CASE("a stream has its own durability, or the store's") {
  const auto table =
      StreamTable::make({{.name = "fast", .topics = {"f/#"}, .durability = Durability::Memory},
                         {.name = "plain", .topics = {"p/#"}}},
                        Durability::Os);

  REQUIRE(table);
  CHECK(table->streams()[0].durability == Durability::Memory);
  CHECK(table->streams()[1].durability == Durability::Os);
  CHECK(table->streams()[2].durability == Durability::Os);
}

TEST_CASE("`events` can be given to change its options, and is still the last") {
  const auto table = StreamTable::make(
      {{.name = "events", .durability = Durability::Os, .on_full = OnFull::DropOldest},
       {.name = "alarms", .topics = {"alarm/#"}}},
      Durability::Fsync);

  REQUIRE(table);
  REQUIRE(table->streams().size() == 2);
  CHECK(table->streams()[1].name == "events");
  CHECK(table->streams()[1].durability == Durability::Os);
  CHECK(table->streams()[1].on_full == OnFull::DropOldest);
  CHECK(table->find("alarm/1") == 0);
  CHECK(table->find("x") == 1);
}

TEST_CASE("streams that cannot be are refused, each with its reason") {
  CHECK(refusal({{.name = "a", .topics = {"a"}}, {.name = "a", .topics = {"b"}}}) ==
        "stream: \"a\" is there twice");
  CHECK(refusal({{.name = "events"}, {.name = "events"}}) == "stream: \"events\" is there twice");
  CHECK(refusal({{.name = "a"}}).find("\"a\" has no topics") != std::string::npos);
  CHECK(refusal({{.name = "events", .topics = {"a"}}}).find("leave its topics out") !=
        std::string::npos);
  CHECK(refusal({{.name = "", .topics = {"a"}}}).starts_with("stream: "));
  CHECK(refusal({{.name = "a/b", .topics = {"a"}}}).starts_with("stream: "));
  CHECK(refusal({{.name = "a", .topics = {"x", "a/#/b"}}}).starts_with("stream: \"a\": filter: "));
}

TEST_CASE("durabilities have names, and other words are refused") {
  for (const Durability durability : {Durability::Fsync, Durability::Os, Durability::Memory}) {
    CHECK(parse_durability(name(durability)) == durability);
  }
  CHECK(name(Durability::Fsync) == "fsync");
  const auto wrong = parse_durability("sync");
  REQUIRE(!wrong);
  CHECK(wrong.error().code == Errc::Invalid);
  CHECK(wrong.error().message.find("fsync, os or memory") != std::string::npos);
}
