#include "gateway/cli/exit_code.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

#include "gateway/cli/read_file.h"

namespace marram::cli {

TEST_SUITE_BEGIN("cli/exit_code");

TEST_CASE("docs/errors.md has every code in the row of its exit code") {
  const auto page = read_file(MARRAM_SOURCE_DIR "/docs/errors.md", 1 << 20);
  REQUIRE(page.has_value());
  const std::string table = page->substr(page->find("## Exit codes"));

  for (int i = 0; i <= static_cast<int>(Errc::Forked); ++i) {
    const auto code = static_cast<Errc>(i);
    const std::string word = fmt::format("`{}`", name(code));
    const std::size_t at = table.find(word);
    REQUIRE_MESSAGE(at != std::string::npos, word, " has no exit code");
    const std::size_t row = table.rfind("\n| ", at) + 3;
    CHECK_MESSAGE(std::stoi(table.substr(row)) == exit_code(code), word);
  }
}

TEST_SUITE_END();

}  // namespace marram::cli
