#include "gateway/mqtt/access.h"

#include <algorithm>

#include "core/event/topic.h"

namespace marram::mqtt {

namespace {

std::string_view take_level(std::string_view& text, bool& last) {
  const std::size_t slash = text.find('/');
  last = slash == std::string_view::npos;
  const std::string_view level = text.substr(0, slash);
  text = last ? std::string_view() : text.substr(slash + 1);
  return level;
}

}  // namespace

bool covers(std::string_view outer, std::string_view inner) {
  const bool wild_first = outer.starts_with('+') || outer.starts_with('#');
  if (wild_first && inner.starts_with('$')) return false;
  bool outer_last = false;
  bool inner_last = false;
  for (;;) {
    const std::string_view wide = take_level(outer, outer_last);
    if (wide == "#") return true;
    const std::string_view narrow = take_level(inner, inner_last);
    if (narrow == "#" || (wide != "+" && wide != narrow)) return false;
    if (inner_last) return outer_last || outer == "#";
    if (outer_last) return false;
  }
}

bool Access::may_publish(std::string_view topic) const {
  return std::any_of(publish_.begin(), publish_.end(),
                     [&](const std::string& filter) { return matches(filter, topic); });
}

bool Access::may_subscribe(std::string_view filter) const {
  return std::any_of(subscribe_.begin(), subscribe_.end(),
                     [&](const std::string& allowed) { return covers(allowed, filter); });
}

AccessPtr everything() {
  return std::make_shared<const Access>(std::vector<std::string>{"#"},
                                        std::vector<std::string>{"#"});
}

}  // namespace marram::mqtt
