#include "gateway/cli/suggest.h"

#include <doctest/doctest.h>

#include <vector>

namespace marram::cli {

TEST_SUITE_BEGIN("cli/suggest");

TEST_CASE("distance counts insertions, deletions, replacements and swaps of neighbours") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("name", "name") == 0);
  CHECK(edit_distance("name", "") == 4);
  CHECK(edit_distance("nam", "name") == 1);
  CHECK(edit_distance("nname", "name") == 1);
  CHECK(edit_distance("nome", "name") == 1);
  CHECK(edit_distance("nmae", "name") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest word is offered, a far one is not") {
  const std::vector<std::string> known = {"name", "data_dir", "listen"};

  CHECK(nearest("nmae", known) == "name");
  CHECK(nearest("datadir", known) == "data_dir");
  CHECK(nearest("lisen", known) == "listen");
  CHECK(nearest("colour", known).empty());
  CHECK(nearest("x", known).empty());
  CHECK(nearest(std::string(10'000, 'x'), known).empty());
}

TEST_SUITE_END();

}  // namespace marram::cli
