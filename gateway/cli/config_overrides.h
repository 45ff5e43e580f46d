// Puts environment variables and --set over what the config file says.
//
//     MARRAM_NODE__NAME=gw-3        node.name
//     MARRAM_ROUTE__CLOUD__TO=...   `to` of the [[route]] named "cloud"
//     --set store.max_bytes=2GiB
//
// What is not there yet is made, tables included; only a [[stream]] or [[route]]
// must be in the file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gateway/cli/config_value.h"

namespace marram::cli {

// Problems are appended; what they speak of is left out.
void apply_environment(const std::vector<std::pair<std::string, std::string>>& environment,
                       ConfigValue& root, std::vector<std::string>& problems);
void apply_sets(const std::vector<std::string>& sets, ConfigValue& root,
                std::vector<std::string>& problems);

}  // namespace marram::cli
