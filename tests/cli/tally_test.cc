#include "gateway/cli/tally.h"

#include <doctest/doctest.h>

using marram::cli::Tally;

TEST_SUITE_BEGIN("cli/tally");

TEST_CASE("an acknowledged reading that never arrives is lost") {
  Tally tally;

  tally.on_line("dev-1", "sent 3 acked 1 2");
  tally.on_line("", "got dev-1 1");

  CHECK(tally.sum().sent == 3);
  CHECK(tally.sum().acknowledged == 2);
  CHECK(tally.sum().delivered == 1);
  CHECK(tally.sum().lost == 1);
}

TEST_CASE("a reading that arrives before its acknowledgement is not lost") {
  Tally tally;

  tally.on_line("", "got dev-1 1");
  tally.on_line("dev-1", "sent 1 acked 1");

  CHECK(tally.sum().lost == 0);
  CHECK(tally.sum().delivered == 1);
}

TEST_CASE("a second delivery is a duplicate and does not hide a lost reading") {
  Tally tally;
  tally.on_line("dev-1", "sent 2 acked 1 2");

  tally.on_line("", "got dev-1 1");
  tally.on_line("", "got dev-1 1");

  CHECK(tally.sum().duplicated == 1);
  CHECK(tally.sum().delivered == 1);
  CHECK(tally.sum().lost == 1);
}

TEST_CASE("a first delivery behind a later one of its device is out of order") {
  Tally tally;

  tally.on_line("", "got dev-1 2");
  tally.on_line("", "got dev-1 1");
  tally.on_line("", "got dev-2 1");
  tally.on_line("", "got dev-1 1");

  CHECK(tally.sum().out_of_order == 1);
  CHECK(tally.sum().duplicated == 1);
}

TEST_CASE("lines that are no report change nothing") {
  Tally tally;

  for (const char* line : {"", "up", "got dev-1 x", "got dev-1", "got dev-1 0", "sent"}) {
    tally.on_line("dev-1", line);
  }

  CHECK(tally.sum().sent == 0);
  CHECK(tally.sum().delivered == 0);
}
