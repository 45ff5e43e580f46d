// Matching as the words of MQTT 5.0, section 4.7, have it, by splitting both into
// levels; and generators of small filters and topics that often match.
#pragma once

#include <rapidcheck.h>

#include <string>
#include <string_view>
#include <vector>

namespace marram::tests {

inline std::vector<std::string> levels_of(std::string_view text) {
  std::vector<std::string> levels(1);
  for (const char c : text) {
    if (c == '/') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  return levels;
}

inline bool naive_match(std::string_view filter, std::string_view topic) {
  const auto wanted = levels_of(filter);
  const auto levels = levels_of(topic);
  const bool wild = wanted[0] == "+" || wanted[0] == "#";
  if (wild && topic.starts_with("$")) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "#") return true;  // also of the parent: i == levels.size()
    if (i == levels.size() || (wanted[i] != "+" && wanted[i] != levels[i])) return false;
  }
  return wanted.size() == levels.size();
}

inline rc::Gen<std::string> joined(std::vector<std::string> of) {
  return rc::gen::map(
      rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(of))),
      [](const std::vector<std::string>& levels) {
        std::string text;
        for (std::size_t i = 0; i < levels.size() && i < 6; ++i) {
          text += (i == 0 ? "" : "/") + levels[i];
        }
        return text.empty() ? std::string("/") : text;
      });
}

inline rc::Gen<std::string> any_topic() { return joined({"a", "b", "ab", "", "$s"}); }

inline rc::Gen<std::string> any_filter() {
  return rc::gen::map(
      rc::gen::pair(joined({"a", "b", "ab", "", "$s", "+", "+"}), rc::gen::inRange(0, 4)),
      [](const std::pair<std::string, int>& made) {
        if (made.second == 0) return std::string("#");
        return made.second == 1 ? made.first + "/#" : made.first;
      });
}

}  // namespace marram::tests
