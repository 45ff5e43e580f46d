// What a connector process tells its supervisor, one JSON object a line, and
// what `marram status` shows of a route (docs/routes.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace marram {

enum class RouteState { Connecting, Connected, Paused, Stopped };
// "connecting", "connected", "paused", "stopped".
const char* name(RouteState state);

struct RouteStatus {
  RouteState state = RouteState::Connecting;
  WallTime connected_since{};  // zero: is not connected
  std::uint64_t sent = 0;      // PUBLISH packets out, repeats included
  std::uint64_t acked = 0;     // events acknowledged by the other side
  std::uint64_t taken = 0;     // events from outside that the node has stored
  std::uint64_t looped = 0;    // came back to this node, and were dropped
  std::uint64_t skipped = 0;   // given up by on_poison = "skip"
  std::uint64_t expired = 0;   // their time was over before they could be sent
  std::uint64_t missed = 0;    // gone from the node's store before they could be sent
  std::uint64_t errors_retry = 0;
  std::uint64_t errors_poison = 0;
  std::uint64_t errors_auth = 0;
  double rate_per_s = 0;  // acked or taken, lately
  std::string last_error;
  WallTime last_error_at{};
};

// One line, without the newline.
std::string status_line(const RouteStatus& status);
// Errors: Protocol  not such a line
Result<RouteStatus> parse_status_line(std::string_view line);

}  // namespace marram
