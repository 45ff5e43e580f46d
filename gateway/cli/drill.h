// `marram drill`: loses the uplink, or the uplink and the node, while devices
// publish, and counts what arrives.  A user can convince himself in a minute.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "core/base/result.h"
#include "gateway/cli/tally.h"

namespace marram::cli {

struct DrillOptions {
  bool kill = false;              // kill -9 of the node at a random moment, too
  std::uint64_t messages = 5000;  // of all devices together
  std::size_t devices = 10;
  std::size_t window = 20;
  std::size_t rounds = 1;
  std::string broker;  // mqtt://HOST:PORT; empty: a second Marram node
  bool json = false;
};

// Rounds that lost something, or delivered a device's readings out of order, fail.
// Errors: as Scene::open(); TimedOut  not everything arrived within two minutes
Result<bool> run_drill(const DrillOptions& options, std::ostream& out);

}  // namespace marram::cli
