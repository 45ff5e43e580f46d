// One route as its supervisor sees it: the child process, when to start it
// again, and what it last said.
//
// Threads: one.
#pragma once

#include <optional>
#include <random>
#include <string>

#include "gateway/connectors/backoff.h"
#include "gateway/connectors/process.h"
#include "gateway/connectors/route_status.h"
#include "gateway/connectors/supervisor.h"

namespace marram {

class SupervisedRoute {
 public:
  SupervisedRoute(const SupervisorOptions& options, RouteOptions route);

  // Starts the child when it is time, and hears what it says.
  void tick(TimePoint now, WallTime wall);
  // When tick() has something to do although nothing is readable.
  std::optional<TimePoint> wake_at(TimePoint now) const;
  // The child's output; -1 without a child.
  int fd() const { return child_ && !child_->stdout_ended() ? child_->stdout_fd() : -1; }

  void ask_to_end();
  bool ended();  // after ask_to_end(): the child is gone
  std::string report_json() const;

 private:
  void start(TimePoint now, WallTime wall);
  void hear(const std::string& line);
  void on_end(int exit_code, TimePoint now, WallTime wall);
  void tell(const RouteStatus& before);
  Log& log() const { return *options_.log; }

  const SupervisorOptions& options_;
  RouteOptions route_;
  std::string target_;
  std::string config_line_;
  Backoff backoff_;
  std::minstd_rand random_;
  std::optional<Process> child_;
  TimePoint start_at_{};
  TimePoint started_at_{};
  RouteStatus status_;  // of this child
  RouteStatus before_;  // sums of the children before it
  std::uint64_t restarts_ = 0;
};

}  // namespace marram
