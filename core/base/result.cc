#include "core/base/result.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "core/base/assert.h"

namespace marram {

std::string_view name(Errc code) {
  static constexpr std::array<std::string_view, 18> kNames = {
      "invalid",    "too_large", "not_found", "exists",      "busy",        "full",
      "overloaded", "timed_out", "closed",    "unreachable", "refused",     "protocol",
      "io",         "corrupt",   "version",   "config",      "unsupported", "forked"};
  return kNames.at(static_cast<std::size_t>(code));
}

void assertion_failed(const char* condition, const char* sentence, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: must hold: %s (%s)\n", file, line, sentence, condition);
  std::abort();
}

}  // namespace marram
