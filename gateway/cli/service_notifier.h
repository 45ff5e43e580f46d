// Tells systemd how the service is (sd_notify(3)): one datagram each, without
// libsystemd.  Without NOTIFY_SOCKET it does nothing.
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"

namespace marram::cli {

class ServiceNotifier {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the
  // environment, so that children do not speak for us.
  static ServiceNotifier from_environment();

  // Feed at least this often; empty: nobody watches.
  std::optional<Duration> watchdog_every() const { return watchdog_every_; }

  void ready(std::string_view status) const;
  void reloading() const;
  void stopping() const;
  void watchdog() const;

 private:
  void send(std::string_view text) const;

  std::string socket_;  // empty: none
  std::optional<Duration> watchdog_every_;
};

}  // namespace marram::cli
