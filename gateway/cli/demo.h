// `marram demo`: a mesh of three nodes, a dozen devices at one end, a reader and a
// broker outside at the other; a link is cut and healed, the node between killed and
// restarted, the broker away for a while, and a live table shows it.
#pragma once

#include <iosfwd>
#include <string>

#include "core/base/result.h"

namespace marram::cli {

struct DemoOptions {
  std::string broker;  // mqtt://HOST:PORT; empty: a fourth Marram node
  std::size_t devices = 12;
  double rate_per_s = 20;  // of each device
  double pace = 1;         // of the acts: 0.2 is five times as fast
  bool live = true;        // redraw a table in place; else a line now and then
};

// True when sent, stored, read and delivered are the same and nothing was lost.
// Errors: as MeshScene::open(); TimedOut  the backlog does not drain
Result<bool> run_demo(const DemoOptions& options, std::ostream& out);

}  // namespace marram::cli
