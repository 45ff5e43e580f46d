#include "core/mesh/coverage.h"

#include <doctest/doctest.h>

namespace marram::mesh {

namespace {

constexpr WallTime kNoon{std::chrono::hours(12)};

TEST_SUITE_BEGIN("mesh/coverage");

TEST_CASE("a whole copy has every filter from where it is whole") {
  Coverage cover;
  cover.begin(true, {}, 9, {});

  CHECK(cover.from("t/1") == 10);
  CHECK(cover.whole());
}

TEST_CASE("a filtered copy has what its filters cover, and nothing else") {
  Coverage cover;
  cover.begin(false, {"t/+"}, 0, {});

  CHECK(cover.from("t/1") == 1);
  CHECK(cover.from("u/1") == Coverage::kNever);
}

TEST_CASE("filters that widen begin where they were asked for, old ones stay") {
  Coverage cover;
  cover.begin(false, {"t/1"}, 0, {});

  cover.make_filtered({"t/1", "t/2"}, 50);

  CHECK(cover.from("t/1") == 1);
  CHECK(cover.from("t/2") == 50);
}

TEST_CASE("a filtered copy that becomes whole keeps what it had below") {
  Coverage cover;
  cover.begin(false, {"t/1"}, 0, {});

  cover.make_whole(50);

  CHECK(cover.whole_from() == 50);
  CHECK(cover.from("t/1") == 1);
  CHECK(cover.from("t/2") == 50);
}

TEST_CASE("a whole copy that becomes filtered remembers from where it was whole") {
  Coverage cover;
  cover.begin(true, {}, 9, kNoon);

  cover.make_filtered({"t/1"}, 50);

  CHECK_FALSE(cover.whole());
  CHECK(cover.from("t/1") == 10);
  CHECK(cover.since("t/1", kNoon));
}

TEST_CASE("a backfill lowers the beginning of what it filled in") {
  Coverage cover;
  cover.begin(true, {}, 49, {});

  cover.fill(true, {}, 20, {});

  CHECK(cover.whole_from() == 20);
}

TEST_CASE("what is trimmed is not there any more") {
  Coverage cover;
  cover.begin(false, {"#"}, 0, {});

  cover.trim(30);

  CHECK(cover.from("t/1") == 30);
}

TEST_CASE("a time is covered when it was asked for, or when all is there") {
  Coverage cover;
  cover.begin(false, {"t/1"}, 9, kNoon);

  CHECK(cover.since("t/1", kNoon));
  CHECK_FALSE(cover.since("t/1", kNoon - std::chrono::hours(1)));
  cover.fill(false, {"t/1"}, 1, {});
  CHECK(cover.since("t/1", kNoon - std::chrono::hours(1)));
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
