#include "core/node/level_waits.h"

namespace marram {

void LevelWaits::add(const std::string& what, const std::vector<Position>& missing, TimePoint until,
                     Done done) {
  if (missing.empty()) return done(true);
  const std::uint64_t id = next_++;
  Wait& wait = waits_[id];
  wait.open = missing.size();
  wait.until = until;
  wait.done = std::move(done);
  for (const Position position : missing) {
    by_log_[{what, position.log()}].emplace(position.seq(), id);
    wait.places.emplace_back(what, position);
  }
  by_time_.emplace(until, id);
}

void LevelWaits::on_reached(const std::string& what, std::uint32_t log, std::uint64_t upto,
                            const std::function<bool(std::uint64_t seq)>& is_so) {
  const auto found = by_log_.find({what, log});
  if (found == by_log_.end()) return;
  Waiting& waiting = found->second;
  std::vector<std::uint64_t> ended;
  for (auto i = waiting.begin(); i != waiting.end() && i->first <= upto;) {
    if (is_so && !is_so(i->first)) {
      ++i;
      continue;
    }
    if (--waits_.at(i->second).open == 0) ended.push_back(i->second);
    i = waiting.erase(i);
  }
  if (waiting.empty()) by_log_.erase(found);
  for (const std::uint64_t id : ended) end(id, true);
}

void LevelWaits::on_tick(TimePoint now) {
  while (!by_time_.empty() && by_time_.begin()->first <= now) end(by_time_.begin()->second, false);
}

std::optional<TimePoint> LevelWaits::wake_at() const {
  if (by_time_.empty()) return {};
  return by_time_.begin()->first;
}

std::vector<std::uint32_t> LevelWaits::logs(const std::string& what) const {
  std::vector<std::uint32_t> out;
  for (auto at = by_log_.lower_bound({what, 0}); at != by_log_.end(); ++at) {
    if (at->first.first != what) break;
    out.push_back(at->first.second);
  }
  return out;
}

void LevelWaits::end(std::uint64_t id, bool reached) {
  Wait wait = std::move(waits_.at(id));
  waits_.erase(id);
  by_time_.erase({wait.until, id});
  for (const auto& [what, position] : wait.places) {
    const auto log = by_log_.find({what, position.log()});
    if (log == by_log_.end()) continue;
    const auto [first, last] = log->second.equal_range(position.seq());
    for (auto at = first; at != last; ++at) {
      if (at->second != id) continue;
      log->second.erase(at);
      break;
    }
    if (log->second.empty()) by_log_.erase(log);
  }
  wait.done(reached);
}

}  // namespace marram
