// What `marram status` and `marram peer` show of a node's mesh, for people.
//
// docs/status.md has the fields of "mesh"; a node without one gives "".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace marram::cli {

// Links with round trip, backlog by priority and time to drain; what is held for peers;
// what is waited for.
std::string mesh_text(const nlohmann::json& status);

// One row a link.
std::string links_text(const nlohmann::json& status);

// Every node of the map with its neighbours; "?" where only one end says so.
std::string map_text(const nlohmann::json& status);

// The same as a picture: nodes on a circle, this node filled.
std::string map_svg(const nlohmann::json& status);

}  // namespace marram::cli
