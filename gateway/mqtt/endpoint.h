// Where to listen: mqtt://ADDRESS:PORT or mqtts://ADDRESS:PORT.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace marram::mqtt {

struct Endpoint {
  std::string address;        // IPv4 or IPv6, without brackets
  std::uint16_t port = 1883;  // 0: any
  bool tls = false;
  bool loopback = false;

  std::string text() const;  // "mqtts://[::1]:8883"
};

// "localhost" is 127.0.0.1.  Without a port it is 1883, or 8883 with TLS.
// Errors: Config  the message shows what is understood
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace marram::mqtt
