#include "core/mesh/roll.h"

#include <algorithm>

namespace marram::mesh {

namespace {

std::int64_t day_of(WallTime time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

}  // namespace

// By a clock that is not to be believed nobody has been away.
void Roll::load(const std::map<std::string, std::int64_t>& days, Now now) {
  const std::int64_t today = day_of(now.wall);
  for (const auto& [id, day] : days) {
    const bool known = !options_.clock_suspect && day <= today;
    const Duration away = known ? Duration(std::chrono::days(today - day)) : Duration(0);
    if (away < options_.expire) nodes_[id] = {day, now.steady + (options_.expire - away)};
  }
}

bool Roll::look(Map& map, bool others_here, Now now) {
  bool changed = false;
  const std::int64_t today = day_of(now.wall);
  for (const auto& [id, held] : map.all()) {
    if (id == options_.node_id) continue;
    const bool reachable = map.reachable(id);
    if (reachable) forgotten_.erase(id);
    // One that others know of, and cannot reach either, counts from now on.
    const bool is_new = !nodes_.contains(id) && !forgotten_.contains(id);
    if (is_new ? nodes_.size() >= options_.nodes_max : !reachable) continue;
    Node& node = nodes_[id];
    changed = changed || node.day != today;
    node = {today, now.steady + options_.expire};
  }
  const auto is_over = [&](const Node& node) { return now.steady >= node.until; };
  // While others tell of it, it does not begin to count again.
  const auto gone = std::erase_if(nodes_, [&](const auto& item) {
    return is_over(item.second) && map.find(item.first) == nullptr;
  });
  const bool all = others_here && std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& item) {
                     return is_over(item.second) || map.reachable(item.first);
                   });
  if (!all) {
    complete_since_.reset();
  } else if (!complete_since_) {
    complete_since_ = now.steady;
  }
  return changed || gone != 0;
}

std::map<std::string, std::int64_t> Roll::days() const {
  std::map<std::string, std::int64_t> days;
  for (const auto& [id, node] : nodes_) days.emplace(id, node.day);
  return days;
}

}  // namespace marram::mesh
