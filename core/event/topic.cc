#include "core/event/topic.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

namespace marram {

namespace {

// The code point at `at`, which is moved behind it; empty where the bytes are
// not UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF).
std::optional<std::uint32_t> next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return text[at++];
  const int extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at <= static_cast<std::size_t>(extra)) return {};
  std::uint32_t point = lead & (0x3F >> extra);
  for (int i = 1; i <= extra; ++i) {
    const unsigned char tail = byte(at + static_cast<std::size_t>(i));
    if ((tail & 0xC0) != 0x80) return {};
    point = point << 6 | (tail & 0x3F);
  }
  const bool overlong = (extra == 2 && point < 0x800) || (extra == 3 && point < 0x10000);
  if (overlong || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return {};
  at += static_cast<std::size_t>(extra) + 1;
  return point;
}

bool is_control(std::uint32_t point) { return point < 0x20 || (point >= 0x7F && point < 0xA0); }

// Byte offset of the first byte that is not printable UTF-8.
std::optional<std::size_t> find_bad_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const auto point = next_code_point(text, at);
    if (!point || is_control(*point)) return start;
  }
  return {};
}

std::string shown(std::string_view text) {
  std::string out(text.substr(0, 60));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > 60 ? out + "..." : out;
}

Status check_text(std::string_view what, std::string_view text, const Limits& limits) {
  if (text.empty()) return fail(Errc::Invalid, fmt::format("{}: is empty", what));
  if (text.size() > limits.topic_bytes_max) {
    return fail(Errc::TooLarge, fmt::format("{}: \"{}\" has {} bytes, over the limit of {} "
                                            "(raise limits.topic_bytes_max)",
                                            what, shown(text), text.size(), limits.topic_bytes_max));
  }
  if (const auto at = find_bad_text(text)) {
    return fail(Errc::Invalid, fmt::format("{}: \"{}\" has a byte at offset {} that is no printable "
                                           "UTF-8", what, shown(text), *at));
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
    return fail(Errc::Invalid, fmt::format("topic: \"{}\" has a wildcard at offset {} (wildcards are "
                                           "for filters only)", shown(topic), at));
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
      return fail(Errc::Invalid, fmt::format("filter: \"{}\": # must be the whole last level, as in "
                                             "a/b/#", shown(filter)));
    }
  }
  return {};
}

Status check_name(std::string_view what, std::string_view name, const Limits& limits) {
  if (name.empty()) return fail(Errc::Invalid, fmt::format("{}: the name is empty", what));
  if (name.size() > limits.name_bytes_max) {
    return fail(Errc::TooLarge, fmt::format("{}: the name \"{}\" has {} bytes, over the limit of {} "
                                            "(raise limits.name_bytes_max)",
                                            what, shown(name), name.size(), limits.name_bytes_max));
  }
  const bool wild = name.find_first_of("/+#") != std::string_view::npos;
  if (wild || find_bad_text(name)) {
    return fail(Errc::Invalid, fmt::format("{}: the name \"{}\" has a '/', '+', '#' or a byte that is "
                                           "no printable UTF-8", what, shown(name)));
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

}  // namespace marram
