// Where the client endpoint is: "ipc://PATH" or "tcp://HOST:PORT".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace marram::wire {

struct Address {
  std::string path;        // ipc; empty: tcp
  std::string host;        // tcp; an IPv6 address is without its brackets
  std::uint16_t port = 0;  // tcp

  bool is_ipc() const { return !path.empty(); }
  // A tcp address that stays on this machine: 127.0.0.0/8, ::1, localhost.
  bool is_loopback() const;
};

// `place` begins the message.
// Errors: Invalid  another scheme, no host or port, a path over the system's limit
Result<Address> parse_address(std::string_view place, std::string_view text);

}  // namespace marram::wire
