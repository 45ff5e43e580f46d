#include "core/base/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace marram {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 6> kDurations = {
    {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6}}};

constexpr std::array<Unit, 10> kBytes = {{{"", 1},
                                          {"B", 1},
                                          {"KiB", 1024.},
                                          {"MiB", 1048576.},
                                          {"GiB", 1073741824.},
                                          {"TiB", 1099511627776.},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"TB", 1e12}}};

struct Parsed {
  double number;
  std::string_view unit;
};

std::optional<Parsed> split(std::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  const std::string_view digits = text.substr(0, end);
  if (digits.empty() || digits.front() == '.') return {};
  double number = 0;
  const char* const stop = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), stop, number);
  if (at != stop || error != std::errc{}) return {};
  std::string_view unit = end == std::string_view::npos ? "" : text.substr(end);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  return Parsed{number, unit};
}

template <std::size_t N>
std::optional<double> scaled(std::string_view text, const std::array<Unit, N>& units) {
  const auto parsed = split(text);
  if (!parsed) return {};
  for (const Unit& unit : units) {
    if (unit.name == parsed->unit) return parsed->number * unit.factor;
  }
  return {};
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr double kHundredYears = 100 * 365.25 * 86400e6;
  if (text == "0") return Duration(0);
  const auto micros = scaled(text, kDurations);
  if (micros && *micros <= kHundredYears) return Duration(std::llround(*micros));
  return fail(Errc::Invalid, fmt::format("duration: cannot read \"{}\" (write a number and one of "
                                         "us, ms, s, m, h, d, such as 30s; at most 100 years)",
                                         text));
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto bytes = scaled(text, kBytes);
  if (bytes && *bytes <= 9e18) return static_cast<std::uint64_t>(*bytes);
  return fail(Errc::Invalid, fmt::format("size: cannot read \"{}\" (write a number and one of B, "
                                         "KiB, MiB, GiB, TiB, such as 256MiB)",
                                         text));
}

Result<double> parse_share(std::string_view text) {
  const auto parsed = split(text);
  if (parsed && parsed->unit == "%" && parsed->number <= 100) return parsed->number / 100;
  return fail(Errc::Invalid, fmt::format("share: cannot read \"{}\" (write a percentage from 0% to "
                                         "100%, such as 5%)",
                                         text));
}

std::string duration_text(Duration duration) {
  const std::int64_t micros = duration.count();
  if (micros < 0) return "-" + duration_text(-duration);
  if (micros < 1000) return fmt::format("{}us", micros);
  if (micros < 1'000'000) return fmt::format("{}ms", micros / 1000);
  const std::int64_t seconds = micros / 1'000'000;
  if (seconds < 60) return fmt::format("{:.3g}s", static_cast<double>(micros) / 1e6);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d {}h", seconds / 86400, seconds % 86400 / 3600);
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

}  // namespace marram
