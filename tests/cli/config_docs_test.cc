#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>

#include "gateway/cli/config.h"
#include "gateway/cli/read_file.h"
#include "tests/cli/load.h"

namespace marram::cli {

namespace {

// "## `[node]`" begins a section, "| `name` | ..." describes a key in it.
std::set<std::string> described_keys(const std::string& page) {
  std::set<std::string> keys;
  std::string section;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) section.clear();
    if (line.starts_with("## `[")) {
      const std::size_t begin = line.find_first_not_of('[', 4);
      section = line.substr(begin, line.find(']') - begin);
    }
    if (!section.empty() && line.starts_with("| `")) {
      keys.insert(section + "." + line.substr(3, line.find('`', 3) - 3));
    }
  }
  return keys;
}

}  // namespace

TEST_SUITE_BEGIN("cli/config_docs");

TEST_CASE("docs/config.md describes every key, and no other") {
  const auto page = read_file(MARRAM_SOURCE_DIR "/docs/config.md", 1 << 20);
  REQUIRE(page.has_value());
  const auto described = described_keys(*page);
  const auto list = known_config_keys();
  const std::set<std::string> known(list.begin(), list.end());

  for (const std::string& key : known) CHECK_MESSAGE(described.contains(key), key, " is missing");
  for (const std::string& key : described) CHECK_MESSAGE(known.contains(key), key, " is unknown");
}

TEST_CASE("docs/config.md gives the defaults that are used") {
  const auto page = read_file(MARRAM_SOURCE_DIR "/docs/config.md", 1 << 20);
  REQUIRE(page.has_value());

  // A table row: | `key` | type | default | meaning |
  for (const EffectiveValue& value : load_config({}).report.effective) {
    if (value.value.empty() || value.key == "name") continue;
    const std::string row_start = fmt::format("\n| `{}` |", value.key);
    const std::string said = fmt::format("| `{}` |", value.value);
    bool found = false;
    const std::size_t section = page->find("## `[" + value.section + "]`");
    REQUIRE_MESSAGE(section != std::string::npos, value.section);
    const std::size_t row = page->find(row_start, section);
    REQUIRE_MESSAGE(row != std::string::npos, value.section, ".", value.key);
    const std::string line = page->substr(row + 1, page->find('\n', row + 1) - row - 1);
    found = line.find(said) != std::string::npos;
    CHECK_MESSAGE(found, value.section, ".", value.key, " is ", value.value, " in: ", line);
  }
}

TEST_CASE("the sample configuration of deploy/ is good") {
  CHECK(load_config({.file = MARRAM_SOURCE_DIR "/deploy/marram.toml"}).report.problems.empty());
}

TEST_SUITE_END();

}  // namespace marram::cli
