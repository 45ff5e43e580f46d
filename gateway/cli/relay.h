// A TCP relay that can be cut: the uplink of `marram demo` and `marram drill`.
//
// Threads: all functions may be called from any thread; it has one of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/result.h"

namespace marram::cli {

class Relay {
 public:
  // Listens on a free port of loopback and carries connections to host:port.
  // Errors: Io
  static Result<std::unique_ptr<Relay>> open(const std::string& host, std::uint16_t port);
  virtual ~Relay() = default;

  virtual std::uint16_t port() const = 0;
  // Resets every connection, and each new one until heal().
  virtual void cut() = 0;
  virtual void heal() = 0;
};

}  // namespace marram::cli
