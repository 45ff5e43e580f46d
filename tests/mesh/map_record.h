// Records of the map, as peers send them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/wire/link_frames.h"

namespace marram::mesh {

inline wire::MapRecord record(std::string node, std::uint64_t number,
                              std::vector<wire::Neighbour> neighbours = {}) {
  wire::MapRecord record;
  record.node_id = std::move(node);
  record.number = number;
  record.neighbours = std::move(neighbours);
  return record;
}

// That of a log's origin, which writes it.
inline wire::MapRecord record_of_origin(const LogId& log,
                                        std::vector<wire::Neighbour> neighbours = {}) {
  wire::MapRecord origin = record(log.origin, 1, std::move(neighbours));
  origin.open = {{log.epoch, log.stream, {}, Durability::Fsync, Priority::Normal}};
  return origin;
}

}  // namespace marram::mesh
