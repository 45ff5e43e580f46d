// The [[route]] tables of the configuration.
#pragma once

#include "gateway/cli/config.h"

namespace marram::cli {

// Reads them into config.routes; config.node is read already.
void read_routes(Section& root, ConfigReport& report, Config& config);

}  // namespace marram::cli
