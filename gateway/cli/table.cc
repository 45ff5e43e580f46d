#include "gateway/cli/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8.h"

namespace marram::cli {

namespace {

// Characters, not bytes; wide ones count as one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string Table::text() const {
  std::vector<std::vector<std::string>> rows = rows_;
  std::vector<bool> right;
  for (std::string& heading : rows.front()) {
    right.push_back(heading.starts_with('>'));
    if (right.back()) heading.erase(0, 1);
  }
  std::vector<std::size_t> widths(right.size(), 0);
  for (auto& row : rows) {
    row.resize(right.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = printable(row[i]);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string fill(widths[i] - width(row[i]), ' ');
      line += fmt::format("{}{}{}", i == 0 ? "" : "  ", right[i] ? fill : row[i],
                          right[i] ? row[i] : fill);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string counted(const std::string& number, const std::string& noun) {
  return number + " " + noun + (number == "1" ? "" : "s");
}

}  // namespace marram::cli
