// A duration that was given on the command line.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "core/base/quantity.h"

namespace marram::cli {

// Errors: Invalid  says which option it was
inline Result<Duration> duration_option(std::string_view option, std::string_view text) {
  const auto duration = parse_duration(text);
  if (duration) return *duration;
  return fail(Errc::Invalid, fmt::format("{}: {}", option, duration.error().message));
}

}  // namespace marram::cli
