// How far a publisher wants an event to be before it is told so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/event/event.h"

namespace marram {

struct Level {
  enum class At {
    Stored,      // here, as its stream promises
    Replicated,  // and by `peers` other nodes that have the log whole
    Delivered,   // and acknowledged by the outside system of `route`, a route of this node
  };
  At at = At::Stored;
  std::uint32_t peers = 0;
  std::string route;
  bool operator==(const Level&) const = default;
};

inline constexpr std::uint32_t kLevelPeersMax = 1000;

// "stored", "replicated:2", "delivered:cloud" and back.  Errors: Invalid
Result<Level> parse_level(std::string_view text);
std::string level_text(const Level& level);

// The highest position of each log in a stored batch: a level is reached in a log's order.
std::vector<Position> highest(const EventBatch& batch);

}  // namespace marram
