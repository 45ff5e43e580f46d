#include "core/base/clock.h"

#include <fmt/format.h>

#include <optional>

#include "core/base/quantity.h"

namespace marram {

namespace {

class SystemClock : public Clock {
 public:
  TimePoint now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
  }
  WallTime wall() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

// Reads exactly `digits` digits and drops them from `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return {};
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_any(std::string_view& text, std::string_view of) {
  if (text.empty() || of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// At least one digit; what is finer than a microsecond is cut off.
std::optional<Duration> take_fraction(std::string_view& text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return {};
  std::int64_t micros = 0;
  std::int64_t unit = 100'000;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    micros += unit * (text.front() - '0');
    unit /= 10;
    text.remove_prefix(1);
  }
  return Duration(micros);
}

// "Z", "+02:00" or nothing, which is UTC.
std::optional<Duration> take_zone(std::string_view& text) {
  if (text.empty() || take_any(text, "Zz")) return Duration(0);
  const bool west = text.front() == '-';
  if (!take_any(text, "+-")) return {};
  const auto hours = take_number(text, 2);
  take_any(text, ":");
  const auto minutes = take_number(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return {};
  const Duration offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return west ? -offset : offset;
}

std::optional<WallTime> parse_date(std::string_view& text) {
  const auto year = take_number(text, 4);
  if (!year || !take_any(text, "-")) return {};
  const auto month = take_number(text, 2);
  if (!month || !take_any(text, "-")) return {};
  const auto day = take_number(text, 2);
  if (!day) return {};
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return {};
  return WallTime(std::chrono::sys_days(date));
}

std::optional<WallTime> parse_iso(std::string_view text) {
  auto time = parse_date(text);
  if (!time || text.empty()) return time;
  if (!take_any(text, "Tt ")) return {};
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take_any(text, ":")) return {};
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return {};
  *time += std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  if (take_any(text, ":")) {
    const auto seconds = take_number(text, 2);
    if (!seconds || *seconds > 60) return {};
    *time += std::chrono::seconds(*seconds);
    if (take_any(text, ".,")) {
      const auto fraction = take_fraction(text);
      if (!fraction) return {};
      *time += *fraction;
    }
  }
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return {};
  return *time - *zone;
}

}  // namespace

const Clock& Clock::system() {
  static const SystemClock clock;
  return clock;
}

std::string iso_text(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

Result<WallTime> parse_time(std::string_view text, WallTime now) {
  if (text.size() > 1 && text.front() == '-') {
    const auto ago = parse_duration(text.substr(1));
    if (ago) return now - *ago;
  } else if (const auto time = parse_iso(text)) {
    return *time;
  }
  return fail(Errc::Invalid, fmt::format("time: cannot read \"{}\" (write 2026-11-24T14:00:00Z, "
                                         "or -1h for an hour ago)",
                                         text));
}

}  // namespace marram
