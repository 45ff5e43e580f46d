// [mesh] of the configuration.
#pragma once

#include <string>
#include <vector>

#include "core/node/node.h"
#include "gateway/cli/config_section.h"

namespace marram::cli {

// After [node]: keys live in its data folder unless it is said where.
void read_mesh(Section mesh, NodeOptions& out);

// What only a look at the key file and the trusted keys can tell.
std::vector<std::string> mesh_problems(const MeshNodeOptions& mesh);

}  // namespace marram::cli
