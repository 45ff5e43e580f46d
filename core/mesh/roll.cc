#include "core/mesh/roll.h"

#include <algorithm>

namespace marram::mesh {

namespace {

constexpr std::int64_t kForgotten = -1;
// What was stored with an earlier day was stored by a clock that had not been set.
constexpr std::int64_t kDayLeast =
    std::chrono::sys_days(std::chrono::year(2024) / 1 / 1).time_since_epoch().count();
constexpr Duration kComeBack = std::chrono::hours(24);

std::int64_t day_of(WallTime time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

}  // namespace

// A node that was off itself leaves the others the time to come back.
void Roll::load(const std::map<std::string, std::int64_t>& stored, Now now) {
  const std::int64_t today = day_of(now.wall);
  const Duration least = std::min(kComeBack, options_.expire / 4);
  for (const auto& [id, day] : stored) {
    const bool known = !options_.clock_suspect && day >= kDayLeast && day <= today;
    const Duration away = known ? Duration(std::chrono::days(today - day)) : Duration(0);
    const Duration left = day == kForgotten ? Duration(0) : std::max(options_.expire - away, least);
    if (away < 2 * options_.expire) nodes_[id] = {day, now.steady + left};
  }
}

bool Roll::look(Map& map, bool held_for_here, Now now) {
  bool changed = false;
  bool all = held_for_here;
  bool anybody_new = false;
  const std::int64_t today = day_of(now.wall);
  for (const auto& [id, held] : map.all()) {
    if (id == options_.node_id) continue;
    const bool here = map.reachable(id);
    const bool is_new = !nodes_.contains(id);
    const bool full = is_new && nodes_.size() >= options_.nodes_max;
    all = all && !full;
    // One that others know of, and cannot reach either, counts from now on.
    if (full || (!is_new && !here)) continue;
    Node& node = nodes_[id];
    changed = changed || is_new || node.day != today;
    anybody_new = anybody_new || is_new;
    node = {today, now.steady + options_.expire};
    if (here && held.record.misses) all = false;
  }
  // Who is over is remembered for as long again, so that he does not count anew because others
  // tell of him.
  const auto gone = std::erase_if(nodes_, [&](const auto& item) {
    return now.steady >= item.second.until + options_.expire && map.find(item.first) == nullptr;
  });
  misses_ = false;
  for (const auto& [id, node] : nodes_) {
    if (now.steady >= node.until || map.reachable(id)) continue;
    all = false;
    misses_ = misses_ || map.find(id) == nullptr;
  }
  if (!all) {
    complete_since_.reset();
  } else if (!complete_since_ || anybody_new) {
    complete_since_ = now.steady;
  }
  return changed || gone != 0;
}

void Roll::forget(const std::string& node_id, TimePoint now) {
  nodes_[node_id] = {kForgotten, now};
}

std::map<std::string, std::int64_t> Roll::days() const {
  std::map<std::string, std::int64_t> days;
  for (const auto& [id, node] : nodes_) days.emplace(id, node.day);
  return days;
}

}  // namespace marram::mesh
