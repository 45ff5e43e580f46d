#include "core/event/topic.h"

#include <fmt/format.h>

#include "core/base/utf8.h"

namespace marram {

namespace {

std::string shown(std::string_view text) {
  return text.size() > 60 ? printable(text.substr(0, 60)) + "..." : printable(text);
}

Status check_text(std::string_view what, std::string_view text, const Limits& limits) {
  if (text.empty()) return fail(Errc::Invalid, fmt::format("{}: is empty", what));
  if (text.size() > limits.topic_bytes_max) {
    return fail(Errc::TooLarge,
                fmt::format("{}: \"{}\" has {} bytes, over the limit of {} "
                            "(raise limits.topic_bytes_max)",
                            what, shown(text), text.size(), limits.topic_bytes_max));
  }
  if (const auto at = find_unprintable(text)) {
    return fail(Errc::Invalid,
                fmt::format("{}: \"{}\" has a byte at offset {} that is no printable "
                            "UTF-8",
                            what, shown(text), *at));
  }
  std::size_t levels = 1;
  for (const char c : text) levels += c == '/' ? 1 : 0;
  if (levels > limits.topic_levels_max) {
    return fail(Errc::TooLarge, fmt::format("{}: \"{}\" has {} levels, over the limit of {} "
                                            "(raise limits.topic_levels_max)",
                                            what, shown(text), levels, limits.topic_levels_max));
  }
  return {};
}

// The first level of `text`, which is cut off together with its '/'.
std::string_view take_level(std::string_view& text, bool& last) {
  const std::size_t slash = text.find('/');
  last = slash == std::string_view::npos;
  const std::string_view level = text.substr(0, slash);
  text = last ? std::string_view() : text.substr(slash + 1);
  return level;
}

}  // namespace

Status check_topic(std::string_view topic, const Limits& limits) {
  if (auto status = check_text("topic", topic, limits); !status) return status;
  if (const auto at = topic.find_first_of("+#"); at != std::string_view::npos) {
    return fail(Errc::Invalid,
                fmt::format("topic: \"{}\" has a wildcard at offset {} (wildcards are "
                            "for filters only)",
                            shown(topic), at));
  }
  return {};
}

Status check_filter(std::string_view filter, const Limits& limits) {
  if (auto status = check_text("filter", filter, limits); !status) return status;
  std::string_view rest = filter;
  for (bool last = false; !last;) {
    const std::string_view level = take_level(rest, last);
    const bool alone = level.size() == 1;
    if (level.find('+') != std::string_view::npos && !alone) {
      return fail(Errc::Invalid, fmt::format("filter: \"{}\": + must be a whole level, as in a/+/c",
                                             shown(filter)));
    }
    if (level.find('#') != std::string_view::npos && !(alone && last)) {
      return fail(Errc::Invalid,
                  fmt::format("filter: \"{}\": # must be the whole last level, as in "
                              "a/b/#",
                              shown(filter)));
    }
  }
  return {};
}

Status check_name(std::string_view what, std::string_view name, const Limits& limits) {
  if (name.empty()) return fail(Errc::Invalid, fmt::format("{}: the name is empty", what));
  if (name.size() > limits.name_bytes_max) {
    return fail(Errc::TooLarge,
                fmt::format("{}: the name \"{}\" has {} bytes, over the limit of {} "
                            "(raise limits.name_bytes_max)",
                            what, shown(name), name.size(), limits.name_bytes_max));
  }
  const bool wild = name.find_first_of("/+#") != std::string_view::npos;
  if (wild || find_unprintable(name)) {
    return fail(Errc::Invalid,
                fmt::format("{}: the name \"{}\" has a '/', '+', '#' or a byte that is "
                            "no printable UTF-8",
                            what, shown(name)));
  }
  return {};
}

bool matches(std::string_view filter, std::string_view topic) {
  const bool wild_first = !filter.empty() && (filter.front() == '+' || filter.front() == '#');
  if (wild_first && !topic.empty() && topic.front() == '$') return false;
  bool filter_last = false;
  bool topic_last = false;
  for (;;) {
    const std::string_view wanted = take_level(filter, filter_last);
    if (wanted == "#") return true;
    const std::string_view level = take_level(topic, topic_last);
    if (wanted != "+" && wanted != level) return false;
    if (topic_last) return filter_last || filter == "#";
    if (filter_last) return false;
  }
}

bool filters_overlap(std::string_view a, std::string_view b) {
  bool last_a = false;
  bool last_b = false;
  while (!last_a && !last_b) {
    const std::string_view level_a = take_level(a, last_a);
    const std::string_view level_b = take_level(b, last_b);
    if (level_a == "#" || level_b == "#") return true;
    if (level_a != level_b && level_a != "+" && level_b != "+") return false;
  }
  // "x/#" matches "x" too.
  return last_a == last_b || (last_a ? b : a) == "#";
}

}  // namespace marram
