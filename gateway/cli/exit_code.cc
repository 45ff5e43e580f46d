#include "gateway/cli/exit_code.h"

#include <fmt/format.h>

#include <cstdio>

namespace marram::cli {

ExitCode exit_code(Errc code) {
  switch (code) {
    case Errc::NotFound:
    case Errc::Exists:
      return kProblems;
    case Errc::Invalid:
    case Errc::TooLarge:
    case Errc::Unsupported:
      return kUsage;
    case Errc::Unreachable:
    case Errc::Protocol:
      return kUnreachable;
    case Errc::Io:
    case Errc::Corrupt:
      return kIo;
    case Errc::Busy:
    case Errc::Full:
    case Errc::Overloaded:
    case Errc::TimedOut:
    case Errc::Closed:
    case Errc::Forked:
      return kTryAgain;
    case Errc::Refused:
    case Errc::Version:
      return kRefused;
    case Errc::Config:
      return kConfig;
  }
  return kProblems;
}

int complain(const Error& error) {
  fmt::print(stderr, "marram: {}\n", error.message);
  return exit_code(error.code);
}

}  // namespace marram::cli
