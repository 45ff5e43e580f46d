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

}  // namespace marram::mesh
