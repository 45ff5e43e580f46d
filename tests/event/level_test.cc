#include "core/event/level.h"

#include <doctest/doctest.h>

namespace marram {

TEST_SUITE_BEGIN("event/level");

TEST_CASE("a level is written as it is read") {
  for (const std::string text : {"stored", "replicated:2", "replicated:1000", "delivered:cloud"}) {
    const auto level = parse_level(text);
    REQUIRE(level);
    CHECK(level_text(*level) == text);
  }
}

TEST_CASE("what is no level is refused, with what there is") {
  for (const std::string text : {"", "replicated", "replicated:", "replicated:0", "replicated:-1",
                                 "replicated:2x", "replicated:1001", "delivered:", "disk"}) {
    const auto level = parse_level(text);
    REQUIRE_MESSAGE(!level, text);
    CHECK(level.error().code == Errc::Invalid);
    CHECK(level.error().message.find("write ") != std::string::npos);
  }
}

TEST_CASE("of a stored batch the highest position of each log counts") {
  EventBatch batch;
  UuidMaker ids;
  for (const Position position : {Position(1, 4), Position(2, 1), Position(), Position(1, 5)}) {
    batch.add(EventView{.topic = "a"}, WallTime(Duration(1)), ids).position = position;
  }

  CHECK(highest(batch) == std::vector<Position>{Position(1, 5), Position(2, 1)});
}

TEST_SUITE_END();

}  // namespace marram
