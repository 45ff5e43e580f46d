// Durations, sizes and shares as people write them in config files and on
// command lines: "30s", "7d", "64KiB", "1GiB", "5%".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace marram {

// A number and one of us, ms, s, m, h, d; "0" needs no unit; at most 100 years.
// Errors: Invalid  the message shows an example
Result<Duration> parse_duration(std::string_view text);

// A number and one of B, KiB, MiB, GiB, TiB, kB, MB, GB, TB; a bare number is bytes.
// Errors: Invalid
Result<std::uint64_t> parse_bytes(std::string_view text);

// "5%" is 0.05; between 0% and 100%.  Errors: Invalid
Result<double> parse_share(std::string_view text);

std::string duration_text(Duration duration);  // "1m 30s", "250ms"
std::string bytes_text(std::uint64_t bytes);   // "1.5 MiB"

}  // namespace marram
