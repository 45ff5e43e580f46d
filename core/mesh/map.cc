#include "core/mesh/map.h"

#include <algorithm>
#include <queue>
#include <set>
#include <tuple>

namespace marram::mesh {

namespace {

constexpr Duration kExpireEvery = std::chrono::minutes(1);

std::uint32_t cost_to(const wire::MapRecord& record, const std::string& node_id) {
  for (const wire::Neighbour& neighbour : record.neighbours) {
    if (neighbour.node_id == node_id) return std::max<std::uint32_t>(neighbour.cost, 1);
  }
  return 0;
}

}  // namespace

Map::Map(Options options, std::uint64_t number) : options_(std::move(options)), number_(number) {}

Map::Taken Map::take(wire::MapRecord record, TimePoint now) {
  if (record.node_id == options_.node_id) {
    if (record.number < number_ || (record.number == number_ && find(record.node_id) != nullptr)) {
      return Taken::Known;
    }
    number_ = record.number;
    return Taken::Own;
  }
  const auto found = records_.find(record.node_id);
  if (found == records_.end()) {
    if (records_.size() >= options_.nodes_max) return Taken::Known;
  } else if (record.number <= found->second.record.number) {
    return record.number == found->second.record.number ? Taken::Known : Taken::Old;
  }
  Held& held = records_[record.node_id];
  held = {std::move(record), now};
  ++version_;
  return Taken::New;
}

const wire::MapRecord& Map::publish(wire::MapRecord own) {
  own.number = ++number_;
  ++version_;
  Held& held = records_[options_.node_id];
  held.record = std::move(own);
  return held.record;
}

const wire::MapRecord* Map::find(const std::string& node_id) const {
  const auto found = records_.find(node_id);
  return found == records_.end() ? nullptr : &found->second.record;
}

std::vector<wire::KnownRecord> Map::known() const {
  std::vector<wire::KnownRecord> known;
  for (const auto& [id, held] : records_) known.push_back({id, held.record.number});
  return known;
}

std::vector<const wire::MapRecord*> Map::newer(const std::vector<wire::KnownRecord>& known) const {
  std::map<std::string, std::uint64_t> numbers;
  for (const wire::KnownRecord& record : known) numbers[record.node_id] = record.number;
  std::vector<const wire::MapRecord*> newer;
  for (const auto& [id, held] : records_) {
    const auto found = numbers.find(id);
    if (found == numbers.end() || found->second < held.record.number) newer.push_back(&held.record);
  }
  return newer;
}

std::vector<wire::MapRecord> Map::records() const {
  std::vector<wire::MapRecord> records;
  for (const auto& [id, held] : records_) records.push_back(held.record);
  return records;
}

void Map::set_links(std::map<std::string, std::uint32_t> links) {
  if (links == links_) return;
  links_ = std::move(links);
  ++version_;
}

const Map::Route* Map::route(const std::string& node_id) {
  if (computed_ != version_) compute();
  const auto found = routes_.find(node_id);
  return found == routes_.end() ? nullptr : &found->second;
}

// Dijkstra; of equal paths the one over the smaller neighbour, so that all choose alike.
void Map::compute() {
  computed_ = version_;
  routes_.clear();
  using Step = std::tuple<std::uint64_t, std::string, std::string>;  // cost, next, node
  std::priority_queue<Step, std::vector<Step>, std::greater<>> open;
  // Of a link both ends know a cost; the higher counts, for everybody.
  for (const auto& [id, cost] : links_) {
    const auto held = records_.find(id);
    const std::uint32_t back =
        held == records_.end() ? 0 : cost_to(held->second.record, options_.node_id);
    open.emplace(std::max(cost, back), id, id);
  }
  while (!open.empty()) {
    const auto [cost, next, id] = open.top();
    open.pop();
    if (id == options_.node_id || !routes_.emplace(id, Route{next, cost}).second) continue;
    const auto held = records_.find(id);
    if (held == records_.end()) continue;
    for (const wire::Neighbour& neighbour : held->second.record.neighbours) {
      if (neighbour.node_id == options_.node_id || routes_.contains(neighbour.node_id)) continue;
      const auto other = records_.find(neighbour.node_id);
      if (other == records_.end()) continue;
      const std::uint32_t back = cost_to(other->second.record, id);
      if (back == 0) continue;
      open.emplace(cost + std::max({neighbour.cost, back, 1U}), next, neighbour.node_id);
    }
  }
}

std::optional<bool> Map::is_open(const LogId& log) const {
  const wire::MapRecord* const record = find(log.origin);
  if (record == nullptr) return {};
  return std::any_of(record->open.begin(), record->open.end(), [&](const wire::OpenLog& open) {
    return open.epoch == log.epoch && open.stream == log.stream;
  });
}

void Map::on_tick(TimePoint now) {
  if (now < expire_at_) return;
  expire_at_ = now + kExpireEvery;
  for (auto& [id, held] : records_) {
    if (reachable(id)) held.reached = now;
  }
  const auto gone = std::erase_if(records_, [&](const auto& item) {
    return item.first != options_.node_id && now - item.second.reached >= options_.expire;
  });
  if (gone != 0) ++version_;
}

}  // namespace marram::mesh
