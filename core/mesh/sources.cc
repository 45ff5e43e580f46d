#include "core/mesh/sources.h"

#include <algorithm>

namespace marram::mesh {

bool Sources::closed(const Log& log) {
  if (log.own) return !log.writes();
  return map_.is_open(log.id) == std::optional<bool>(false);
}

// Of nodes that can be reached, this one left out.
const std::vector<Sources::Copy>& Sources::copies(const Log& log) {
  if (indexed_ != map_.version()) {
    indexed_ = map_.version();
    index_.clear();
    for (const auto& [id, held] : map_.all()) {
      const wire::MapRecord& record = held.record;
      if (record.node_id == node_id_ || record.copies.empty()) continue;
      if (!map_.reachable(record.node_id)) continue;
      for (const wire::CopyNote& note : record.copies) {
        index_[note.log].push_back({record.node_id, note.first, note.upto});
      }
    }
  }
  const auto found = index_.find(log.id);
  return found == index_.end() ? none_ : found->second;
}

std::string Sources::root(const Log& log, std::uint64_t position) {
  if (!log.own && live(log)) return log.id.origin;
  const Copy* best = nullptr;
  for (const Copy& copy : copies(log)) {
    if (!copy.has(position)) continue;
    if (best == nullptr || copy.upto > best->upto ||
        (copy.upto == best->upto && copy.node_id < best->node_id)) {
      best = &copy;
    }
  }
  if (best != nullptr) return best->node_id;
  return origin_reachable(log) ? log.id.origin : std::string();
}

std::uint64_t Sources::end(const Log& log) {
  std::uint64_t end = log.head();
  for (const Copy& copy : copies(log)) end = std::max(end, copy.upto);
  return end;
}

std::uint64_t Sources::known_end(const Log& log) {
  std::uint64_t known = end(log);
  for (const auto& [peer, have] : log.have) known = std::max(known, have.upto);
  return known;
}

std::optional<std::uint64_t> Sources::next_announced(const Log& log, std::uint64_t position) {
  std::optional<std::uint64_t> next;
  for (const Copy& copy : copies(log)) {
    if (copy.upto < position || copy.first > copy.upto) continue;
    const std::uint64_t first = std::max(copy.first, position);
    next = std::min(next.value_or(first), first);
  }
  return next;
}

bool Sources::must_announce(const Log& log) {
  if (!log.record || live(log)) return false;
  const std::uint64_t first = log.whole() ? log.record->whole_from : log.head() + 1;
  const bool empty = first > log.head();
  for (const Copy& copy : copies(log)) {
    if (copy.upto < log.head() || (!empty && copy.first > first)) continue;
    const bool more = copy.upto > log.head() || (!empty && copy.first < first) ||
                      (empty && copy.first <= copy.upto);
    if (more || copy.node_id < node_id_) return false;
  }
  return log.head() != 0;
}

bool Sources::announced_events(const Log& log) {
  const auto& list = copies(log);
  return std::any_of(list.begin(), list.end(),
                     [](const Copy& copy) { return copy.first <= copy.upto; });
}

}  // namespace marram::mesh
