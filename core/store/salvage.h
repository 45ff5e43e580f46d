// Copies what can be read of a damaged database.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/result.h"

namespace marram::store {

struct SalvageCount {
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
};

// `copy` is an empty file, and on disk afterwards.  Logs keep numbers and heads, so
// that a reader finds gaps where events are missing; consumers keep numbers and
// cursors.  Copies of other nodes' logs claim to have no more than what reads.  A file of which
// nothing can be read gives an empty database.
//
// Errors: Io, Full
Result<SalvageCount> salvage(const std::filesystem::path& damaged,
                             const std::filesystem::path& copy);

}  // namespace marram::store
