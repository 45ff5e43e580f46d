#include "gateway/connectors/supervisor.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <utility>

#include "core/base/mailbox.h"
#include "gateway/connectors/supervised_route.h"

namespace marram {
namespace {

constexpr Duration kLookAgain = std::chrono::seconds(1);
constexpr Duration kLookForEnd = std::chrono::milliseconds(10);

class Supervisor final : public RouteSupervisor {
 public:
  Supervisor(SupervisorOptions options, std::vector<RouteOptions> routes)
      : options_(std::move(options)) {
    if (options_.log == nullptr) options_.log = &Log::none();
    for (RouteOptions& route : routes) routes_.emplace_back(options_, std::move(route));
    publish_reports();
    if (!routes_.empty()) thread_ = std::thread([this] { run(); });
  }

  ~Supervisor() override { close(); }

  std::string report_json() override {
    return reports_.with([](const std::string& reports) { return reports; });
  }

  void close() override {
    stop_.signal();
    if (!closed_.exchange(true) && thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    TimePoint now = Clock::system().now();
    for (;;) {
      for (SupervisedRoute& route : routes_) route.tick(now, Clock::system().wall());
      publish_reports();
      if (!wait(now)) break;
      now = Clock::system().now();
    }
    stop_children();
  }

  // False: it is time to stop.
  bool wait(TimePoint now) {
    std::vector<pollfd> fds{{stop_.fd(), POLLIN, 0}};
    TimePoint until = now + kLookAgain;
    for (const SupervisedRoute& route : routes_) {
      if (route.fd() >= 0) fds.push_back({route.fd(), POLLIN, 0});
      until = std::min(until, route.wake_at(now).value_or(until));
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
    return fds[0].revents == 0;
  }

  void stop_children() {
    for (SupervisedRoute& route : routes_) route.ask_to_end();
    publish_reports();
    const TimePoint deadline = Clock::system().now() + options_.stop_within;
    const auto all_ended = [this] {
      return std::all_of(routes_.begin(), routes_.end(), [](auto& route) { return route.ended(); });
    };
    const Signal never;
    while (!all_ended() && Clock::system().now() < deadline) never.wait(kLookForEnd);
    routes_.clear();  // kills the rest
  }

  void publish_reports() {
    std::string all = "[";
    for (const SupervisedRoute& route : routes_) {
      if (all.size() > 1) all += ',';
      all += route.report_json();
    }
    all += ']';
    reports_.with([&](std::string& reports) { reports.swap(all); });
  }

  SupervisorOptions options_;
  std::deque<SupervisedRoute> routes_;  // of the thread, once it runs
  Guarded<std::string> reports_;
  Signal stop_;
  std::atomic<bool> closed_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RouteSupervisor> RouteSupervisor::start(SupervisorOptions options,
                                                        std::vector<RouteOptions> routes) {
  return std::make_unique<Supervisor>(std::move(options), std::move(routes));
}

}  // namespace marram
