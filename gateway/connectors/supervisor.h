// Runs the routes of a daemon: a child process each, started again when it ends.
//
// A crash, or a look-up that hangs, in a broker library never touches the node:
// the child is a client like any other.  It dies with the daemon, also on kill -9.
//
// Threads: one of its own, on which children are started and heard; all
// functions may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/result.h"
#include "gateway/connectors/route.h"

namespace marram {

struct SupervisorOptions {
  std::string endpoint;              // of the node, for the children
  std::vector<std::string> command;  // empty: this program with `connector mqtt`
  Duration restart_least = std::chrono::milliseconds(200);
  Duration restart_most = std::chrono::seconds(30);
  Duration stop_within = std::chrono::seconds(5);  // then a child is killed
  Duration paused_for = std::chrono::seconds(60);  // then a paused route tries once more
  Log* log = nullptr;                              // null: none; outlives the supervisor
};

class RouteSupervisor {
 public:
  // The routes have been checked (check_routes).  Without any it has nothing to do.
  static std::unique_ptr<RouteSupervisor> start(SupervisorOptions options,
                                                std::vector<RouteOptions> routes);
  virtual ~RouteSupervisor() = default;  // as close()

  // A JSON array, for "routes" of the node's status; docs/routes.md has the fields.
  // Backlog and oldest age are those of the consumer that it names.
  virtual std::string report_json() = 0;

  // Asks the children to end, kills those that do not; waits.  Idempotent.
  virtual void close() = 0;
};

}  // namespace marram
