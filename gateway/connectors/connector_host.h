// What is around a connector while it runs: a process, or a test.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/base/clock.h"
#include "gateway/connectors/route_status.h"

namespace marram {

struct ConnectorHost {
  std::vector<int> stop_fds;                       // one readable: stop
  std::function<void(const RouteStatus&)> report;  // on each change of state, and each second
};

// Decides when to report, and how fast the route is.
class StatusReporter {
 public:
  explicit StatusReporter(const ConnectorHost& host) : host_(host) {}
  void tick(RouteStatus& status, TimePoint now);
  TimePoint wake_at() const { return next_; }

 private:
  const ConnectorHost& host_;
  std::optional<RouteState> last_state_;
  std::uint64_t last_done_ = 0;
  std::uint64_t last_given_up_ = 0;
  TimePoint last_{};
  TimePoint next_{};
};

// Waits until one of `fds` (those that are not -1) is readable or `until` is there.
// False: the host says stop.
bool wait_for(const ConnectorHost& host, const std::vector<int>& fds, TimePoint now,
              TimePoint until);

}  // namespace marram
