#include "core/event/topic.h"

#include <fmt/format.h>

#include <algorithm>

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

bool is_wild(char c) { return c == '+' || c == '#'; }

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
  bool wild = false;
  for (const char c : topic) wild |= is_wild(c);  // of every event: all at once, no look-ups
  if (wild) {
    return fail(Errc::Invalid,
                fmt::format("topic: \"{}\" has a wildcard at offset {} (wildcards are "
                            "for filters only)",
                            shown(topic), topic.find_first_of("+#")));
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
  // What is before the first wildcard is compared as it stands; that decides most of the time.
  const std::size_t both = std::min(filter.size(), topic.size());
  std::size_t same = 0;
  std::size_t level_at = 0;  // where the level begins that goes on at `same`
  for (; same < both && filter[same] == topic[same] && !is_wild(filter[same]); ++same) {
    if (filter[same] == '/') level_at = same + 1;
  }
  if (same < both && !is_wild(filter[same])) return false;
  filter.remove_prefix(level_at);
  topic.remove_prefix(level_at);
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

bool overlaps(std::string_view a, std::string_view b) {
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

bool covers(std::string_view wide, std::string_view narrow) {
  const bool wild_first = !wide.empty() && (wide.front() == '+' || wide.front() == '#');
  if (wild_first && !narrow.empty() && narrow.front() == '$') return false;
  bool last_wide = false;
  bool last_narrow = false;
  for (;;) {
    const std::string_view level_wide = take_level(wide, last_wide);
    if (level_wide == "#") return true;
    const std::string_view level_narrow = take_level(narrow, last_narrow);
    if (level_narrow == "#") return false;
    if (level_wide != level_narrow && level_wide != "+") return false;
    if (last_narrow) return last_wide || wide == "#";
    if (last_wide) return false;
  }
}

}  // namespace marram
