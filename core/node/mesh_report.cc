// What a mesh part says of itself: the key "mesh" of status_json().
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "core/node/mesh_part.h"

namespace marram {

namespace {

using nlohmann::json;

constexpr Duration kSampleEvery = std::chrono::seconds(1);
constexpr std::size_t kMapNodesMax = 2000;  // of one answer
constexpr std::size_t kListMax = 1000;      // holds, holes, heard

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::uint64_t behind(const mesh::LinkStatus& link) {
  return link.backlog[0] + link.backlog[1] + link.backlog[2];
}

json holds_json(const std::vector<mesh::HoldStatus>& holds) {
  json list = json::array();
  for (const mesh::HoldStatus& hold : holds) {
    if (list.size() == kListMax) break;
    list.push_back({{"peer", hold.peer},
                    {"stream", hold.stream},
                    {"connected", hold.connected},
                    {"owed", hold.owed},
                    {"contact", iso_text(hold.contact)}});
  }
  return list;
}

json holes_json(const std::vector<mesh::HoleStatus>& holes) {
  json list = json::array();
  for (const mesh::HoleStatus& hole : holes) {
    if (list.size() == kListMax) break;
    list.push_back({{"origin", hole.log.origin},
                    {"epoch", hole.log.epoch},
                    {"stream", hole.log.stream},
                    {"from", hole.from},
                    {"to", hole.to},
                    {"waits_for", hole.waits_for}});
  }
  return list;
}

json heard_json(const std::vector<mesh::HeardStatus>& heard) {
  json list = json::array();
  for (const mesh::HeardStatus& one : heard) {
    if (list.size() == kListMax) break;
    list.push_back({{"peer", one.peer}, {"address", one.address}, {"reached", one.reached}});
  }
  return list;
}

json node_json(const wire::MapRecord& record) {
  json neighbours = json::array();
  for (const wire::Neighbour& one : record.neighbours) {
    neighbours.push_back({{"id", one.node_id}, {"cost", one.cost}});
  }
  json open = json::array();
  for (const wire::OpenLog& log : record.open) open.push_back(log.stream);
  return {{"id", record.node_id},
          {"name", record.name},
          {"neighbours", std::move(neighbours)},
          {"open", std::move(open)},
          {"copies", record.copies.size()},
          {"clock_suspect", record.clock_suspect},
          {"misses", record.misses}};
}

json map_json(const std::vector<wire::MapRecord>& records) {
  json list = json::array();
  for (const wire::MapRecord& record : records) {
    if (list.size() == kMapNodesMax) break;
    list.push_back(node_json(record));
  }
  return list;
}

// Itself, those of the map, and leaves, which only their neighbours know of.
std::size_t count_nodes(const std::string& own, const std::vector<wire::MapRecord>& map,
                        const std::vector<mesh::LinkStatus>& links) {
  std::set<std::string_view> ids{own};
  for (const wire::MapRecord& record : map) ids.insert(record.node_id);
  for (const mesh::LinkStatus& link : links) ids.insert(link.peer);
  return ids.size();
}

}  // namespace

// Since when each link has not been at the head: known to a second, and only while
// something happens, which is when it changes.
void MeshPart::sample(const mesh::MeshStatus& status, TimePoint at) {
  sample_at_ = at + kSampleEvery;
  std::map<std::string, TimePoint> still;
  for (const mesh::LinkStatus& link : status.links) {
    if (behind(link) == 0) continue;
    const auto known = behind_since_.find(link.peer);
    still[link.peer] = known == behind_since_.end() ? at : known->second;
  }
  behind_since_ = std::move(still);
}

std::string MeshPart::report_json() {
  const TimePoint at = now().steady;
  const mesh::MeshStatus status = mesh_->status();
  sample(status, at);
  const StoreStatus stored = store_.status();
  const double event_bytes =
      stored.events == 0 ? 0
                         : static_cast<double>(stored.bytes) / static_cast<double>(stored.events);
  json links = json::array();
  for (const mesh::LinkStatus& link : status.links) {
    json one = {
        {"peer", link.peer},
        {"name", link.name},
        {"address", link.address},
        {"dialled", link.dialled},
        {"state", "up"},
        {"round_trip_s", seconds(link.round_trip)},
        {"rate_bytes_per_s", link.rate_bytes},
        {"in_flight_bytes", link.in_flight_bytes},
        {"wants", link.wants},
        {"backlog",
         {{"high", link.backlog[0]}, {"normal", link.backlog[1]}, {"low", link.backlog[2]}}},
        {"behind_s", 0.0},
        {"drain_s", nullptr}};
    if (const auto since = behind_since_.find(link.peer); since != behind_since_.end()) {
      one["behind_s"] = seconds(at - since->second);
    }
    const double left = static_cast<double>(behind(link)) * event_bytes;
    if (behind(link) == 0) one["drain_s"] = 0.0;
    if (left > 0 && link.rate_bytes > 0) {
      one["drain_s"] = left / static_cast<double>(link.rate_bytes);
    }
    links.push_back(std::move(one));
  }
  const std::vector<wire::MapRecord> map = mesh_->map();
  auto refused = transport_->refused();
  refused["session"] += status.refused;  // its rules were broken
  std::erase_if(refused, [](const auto& reason) { return reason.second == 0; });
  json report = {{"id", store_.node_id()},
                 {"listen", transport_->endpoints()},
                 {"key", options_.key.public_key},
                 {"carry", options_.mesh.carry},
                 {"nodes", count_nodes(store_.node_id(), map, status.links)},
                 {"logs", status.logs},
                 {"links", std::move(links)},
                 {"holds", holds_json(status.holds)},
                 {"holes", holes_json(status.holes)},
                 {"gaps", json(status.gaps)},
                 {"duplicates", status.duplicates},
                 {"refused", json(refused)},
                 {"map", map_json(map)}};
  if (beacon_) {
    report["beacon"] = {{"heard", heard_json(status.heard)}, {"refused", json(beacon_->refused())}};
  }
  return report.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace marram
