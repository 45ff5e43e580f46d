// Reads a whole file, up to a limit.
#pragma once

#include <string>

#include "core/base/result.h"

namespace marram::cli {

// Errors: Io        cannot be read; the message has path and cause
//         TooLarge  more than `bytes_max`
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

// All of standard input.  Errors: as read_file
Result<std::string> read_stdin(std::size_t bytes_max);

}  // namespace marram::cli
