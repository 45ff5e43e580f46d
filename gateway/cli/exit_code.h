// How the program ends: the exit codes of docs/errors.md.
#pragma once

#include "core/base/result.h"

namespace marram::cli {

enum ExitCode : int {
  kOk = 0,
  kProblems = 1,  // found problems, or not what was asked for
  kUsage = 64,
  kUnreachable = 69,
  kIo = 74,
  kTryAgain = 75,
  kRefused = 77,
  kConfig = 78,
};

ExitCode exit_code(Errc code);

// Prints "marram: <message>" to stderr and returns the code to end with.
int complain(const Error& error);

}  // namespace marram::cli
