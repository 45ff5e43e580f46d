#include "core/mesh/map.h"

#include <algorithm>
#include <numeric>
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

std::vector<std::uint32_t> in_order(const std::vector<wire::OpenLog>& open) {
  std::vector<std::uint32_t> places(open.size());
  std::iota(places.begin(), places.end(), 0U);
  std::sort(places.begin(), places.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(open[a].epoch, open[a].stream) < std::tie(open[b].epoch, open[b].stream);
  });
  return places;
}

template <class List, class Same>
bool alike(const List& a, const List& b, Same same) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

}  // namespace

bool same_links(const wire::MapRecord& a, const wire::MapRecord& b) {
  return alike(a.neighbours, b.neighbours, [](const auto& x, const auto& y) {
    return x.node_id == y.node_id && x.cost == y.cost;
  });
}

bool same_logs(const wire::MapRecord& a, const wire::MapRecord& b) {
  return alike(a.open, b.open,
               [](const auto& x, const auto& y) {
                 return x.epoch == y.epoch && x.stream == y.stream;
               }) &&
         alike(a.copies, b.copies, [](const auto& x, const auto& y) {
           return x.log == y.log && x.first == y.first && x.upto == y.upto;
         });
}

std::size_t bytes_of(const wire::Neighbour& neighbour) { return neighbour.node_id.size() + 8; }

std::size_t bytes_of(const wire::OpenLog& open) {
  std::size_t bytes = 32 + open.epoch.size() + open.stream.size();
  for (const std::string& topic : open.topics) bytes += topic.size() + 3;
  return bytes;
}

std::size_t bytes_of(const wire::CopyNote& copy) {
  return 32 + copy.log.origin.size() + copy.log.epoch.size() + copy.log.stream.size();
}

std::size_t bytes_of(const wire::MapRecord& record) {
  std::size_t bytes = 128 + record.name.size() + record.instance.size();
  for (const wire::Neighbour& neighbour : record.neighbours) bytes += bytes_of(neighbour);
  for (const wire::OpenLog& open : record.open) bytes += bytes_of(open);
  for (const wire::CopyNote& copy : record.copies) bytes += bytes_of(copy);
  return bytes;
}

Map::Map(Options options, std::uint64_t number) : options_(std::move(options)), number_(number) {}

Map::Taken Map::take(wire::MapRecord record, TimePoint now) {
  const auto found = records_.find(record.node_id);
  const bool is_own = record.node_id == options_.node_id;
  const bool is_new = found == records_.end();
  // A lie would leave no number for the node itself.
  const std::uint64_t known = is_own ? number_ : is_new ? 0 : found->second.record.number;
  if (record.number > known + kNumberStep) return Taken::Known;
  if (is_own) {
    if (record.number < number_ || (record.number == number_ && find(record.node_id) != nullptr)) {
      return Taken::Known;
    }
    number_ = record.number;
    return Taken::Own;
  }
  if (!is_new && record.number <= found->second.record.number) {
    return record.number == found->second.record.number ? Taken::Known : Taken::Old;
  }
  const std::size_t before = is_new ? 0 : found->second.bytes;
  const std::size_t bytes = bytes_of(record);
  const bool full = is_new && records_.size() >= options_.nodes_max;
  if (full || bytes > options_.record_bytes_max || bytes_ - before + bytes > options_.bytes_max) {
    return Taken::Known;
  }
  bytes_ += bytes - before;
  Held& held = is_new ? records_[record.node_id] : found->second;
  // Of a node that had no record a link may have counted, one-sidedly.
  const bool links = is_new || !same_links(held.record, record);
  if (links) computed_ = false;
  const bool misses = held.record.misses != record.misses;
  if (links || misses || !same_logs(held.record, record)) ++version_;
  std::vector<std::uint32_t> open = in_order(record.open);
  held = {std::move(record), now, bytes, std::move(open)};
  return Taken::New;
}

const wire::MapRecord& Map::publish(wire::MapRecord own) {
  // What is known of this node's links and logs does not come from its record.
  own.number = ++number_;
  Held& held = records_[options_.node_id];
  bytes_ -= held.bytes;
  held.record = std::move(own);
  held.bytes = bytes_of(held.record);
  held.open = in_order(held.record.open);
  bytes_ += held.bytes;
  return held.record;
}

const wire::MapRecord* Map::find(const std::string& node_id) const {
  const auto found = records_.find(node_id);
  return found == records_.end() ? nullptr : &found->second.record;
}

std::vector<wire::KnownRecord> Map::known() const {
  std::vector<wire::KnownRecord> known;
  known.reserve(records_.size());
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
  records.reserve(records_.size());
  for (const auto& [id, held] : records_) records.push_back(held.record);
  return records;
}

void Map::set_links(std::map<std::string, std::uint32_t> links) {
  if (links == links_) return;
  links_ = std::move(links);
  computed_ = false;
  ++version_;
}

const Map::Route* Map::route(const std::string& node_id) {
  if (!computed_) compute();
  const auto found = routes_.find(node_id);
  return found == routes_.end() ? nullptr : &found->second;
}

// Dijkstra; of equal paths the one over the smaller neighbour, so that all choose alike.
void Map::compute() {
  computed_ = true;
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
  const auto held = records_.find(log.origin);
  if (held == records_.end()) return {};
  const std::vector<wire::OpenLog>& logs = held->second.record.open;
  const auto& places = held->second.open;
  const auto key = std::tie(log.epoch, log.stream);
  const auto found = std::lower_bound(
      places.begin(), places.end(), key, [&](std::uint32_t place, const auto& wanted) {
        return std::tie(logs[place].epoch, logs[place].stream) < wanted;
      });
  return found != places.end() && std::tie(logs[*found].epoch, logs[*found].stream) == key;
}

void Map::on_tick(TimePoint now) {
  if (now < expire_at_) return;
  expire_at_ = now + kExpireEvery;
  for (auto& [id, held] : records_) {
    if (reachable(id)) held.reached = now;
  }
  const auto gone = std::erase_if(records_, [&](const auto& item) {
    if (item.first == options_.node_id || now - item.second.reached < options_.expire) return false;
    bytes_ -= item.second.bytes;
    return true;
  });
  if (gone == 0) return;
  computed_ = false;
  ++version_;
}

}  // namespace marram::mesh
