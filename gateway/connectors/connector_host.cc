#include "gateway/connectors/connector_host.h"

#include <poll.h>

#include <algorithm>

namespace marram {
namespace {

constexpr Duration kReportEvery = std::chrono::seconds(1);

}  // namespace

void StatusReporter::tick(RouteStatus& status, TimePoint now) {
  const std::uint64_t done = status.acked + status.taken;
  const std::uint64_t given_up = status.skipped + status.missed;
  const bool due = now >= next_;
  if (due) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    const double lately =
        last_ == TimePoint{} ? 0 : static_cast<double>(done - last_done_) / seconds;
    status.rate_per_s = (status.rate_per_s + lately) / 2;
    if (status.rate_per_s < 0.01) status.rate_per_s = 0;
    last_ = now;
    last_done_ = done;
    next_ = now + kReportEvery;
  }
  if (!due && last_state_ == status.state && last_given_up_ == given_up) return;
  last_state_ = status.state;
  last_given_up_ = given_up;
  host_.report(status);
}

bool wait_for(const ConnectorHost& host, const std::vector<int>& fds, TimePoint now,
              TimePoint until) {
  std::vector<pollfd> polled;
  polled.reserve(host.stop_fds.size() + fds.size());
  for (const int fd : host.stop_fds) polled.push_back({fd, POLLIN, 0});
  for (const int fd : fds) {
    if (fd >= 0) polled.push_back({fd, POLLIN, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  if (::poll(polled.data(), polled.size(), timeout) <= 0) return true;
  return std::none_of(polled.begin(), polled.begin() + static_cast<long>(host.stop_fds.size()),
                      [](const pollfd& fd) { return fd.revents != 0; });
}

}  // namespace marram
