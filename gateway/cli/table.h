// Columns for people: as wide as their widest cell, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace marram::cli {

class Table {
 public:
  // A heading that begins with '>' has its column to the right.
  explicit Table(std::vector<std::string> headings) { rows_.push_back(std::move(headings)); }

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first are the headings
};

// "1 link", "2 links"; `number` as it is shown.
std::string counted(const std::string& number, const std::string& noun);

}  // namespace marram::cli
