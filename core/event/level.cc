#include "core/event/level.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace marram {

namespace {

constexpr std::string_view kReplicated = "replicated:";
constexpr std::string_view kDelivered = "delivered:";

}  // namespace

Result<Level> parse_level(std::string_view text) {
  if (text == "stored") return Level{};
  if (text.starts_with(kReplicated)) {
    const std::string_view number = text.substr(kReplicated.size());
    Level level{.at = Level::At::Replicated};
    const char* const end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, level.peers);
    if (error == std::errc() && stop == end && level.peers > 0 && level.peers <= kLevelPeersMax) {
      return level;
    }
    return fail(Errc::Invalid,
                fmt::format("publish: level \"{}\" names no number of peers from 1 to {} (write "
                            "replicated:2)",
                            text, kLevelPeersMax));
  }
  if (text.starts_with(kDelivered) && text.size() > kDelivered.size()) {
    return Level{.at = Level::At::Delivered, .route = std::string(text.substr(kDelivered.size()))};
  }
  return fail(Errc::Invalid, fmt::format("publish: there is no level \"{}\" (write stored, "
                                         "replicated:2 or delivered:ROUTE)",
                                         text));
}

std::string level_text(const Level& level) {
  switch (level.at) {
    case Level::At::Replicated:
      return fmt::format("replicated:{}", level.peers);
    case Level::At::Delivered:
      return "delivered:" + level.route;
    case Level::At::Stored:
      break;
  }
  return "stored";
}

std::vector<Position> highest(const EventBatch& batch) {
  std::vector<Position> out;
  for (const EventView& event : batch.events()) {
    if (event.position.log() == 0) continue;  // refused
    const auto same = std::find_if(out.begin(), out.end(), [&](Position position) {
      return position.log() == event.position.log();
    });
    if (same == out.end()) {
      out.push_back(event.position);
    } else {
      *same = std::max(*same, event.position);
    }
  }
  return out;
}

}  // namespace marram
