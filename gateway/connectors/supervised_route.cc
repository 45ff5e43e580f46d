#include "gateway/connectors/supervised_route.h"

#include <fmt/format.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "gateway/connectors/connector_config.h"

namespace marram {
namespace {

constexpr std::string_view kComponent = "route";
constexpr Duration kHealthyRun = std::chrono::seconds(10);
constexpr Duration kLookForEnd = std::chrono::milliseconds(20);

std::vector<std::string> command_of(const SupervisorOptions& options) {
  if (!options.command.empty()) return options.command;
  return {own_executable(), "connector", "mqtt"};
}

std::string config_of(const SupervisorOptions& options, const RouteOptions& route) {
  ConnectorConfig config;
  config.route = route;
  config.endpoint = options.endpoint;
  config.paused_for = options.paused_for;
  return config_line(config) + "\n";
}

std::string how_it_ended(int exit_code) {
  if (exit_code > 128) return fmt::format("killed by signal {}", exit_code - 128);
  return fmt::format("exit code {}", exit_code);
}

void add_counts(RouteStatus& sum, const RouteStatus& more) {
  sum.sent += more.sent;
  sum.acked += more.acked;
  sum.taken += more.taken;
  sum.looped += more.looped;
  sum.skipped += more.skipped;
  sum.expired += more.expired;
  sum.missed += more.missed;
  sum.errors_retry += more.errors_retry;
  sum.errors_poison += more.errors_poison;
  sum.errors_auth += more.errors_auth;
}

nlohmann::json time_or_null(WallTime time) {
  return time == WallTime{} ? nlohmann::json(nullptr) : nlohmann::json(iso_text(time));
}

}  // namespace

SupervisedRoute::SupervisedRoute(const SupervisorOptions& options, RouteOptions route)
    : options_(options),
      route_(std::move(route)),
      config_line_(config_of(options, route_)),
      backoff_(options.restart_least, options.restart_most),
      random_(std::random_device{}()) {
  if (const auto target = parse_route_target(route_.to)) target_ = target->text();
  route_.password.clear();
}

void SupervisedRoute::tick(TimePoint now, WallTime wall) {
  if (!child_) {
    if (now >= start_at_) start(now, wall);
    return;
  }
  for (const std::string& line : child_->take_lines()) hear(line);
  if (const auto code = child_->exit_code()) on_end(*code, now, wall);
}

std::optional<TimePoint> SupervisedRoute::wake_at(TimePoint now) const {
  if (!child_) return start_at_;
  if (child_->stdout_ended()) return now + kLookForEnd;
  return {};
}

void SupervisedRoute::start(TimePoint now, WallTime wall) {
  auto child =
      Process::start({.arguments = command_of(options_), .stderr_file = {}, .own_group = true});
  const Status fed = child ? child->write_stdin(config_line_) : tl::unexpected(child.error());
  started_at_ = now;
  if (fed) {
    child_ = std::move(*child);
    return;
  }
  status_.last_error = fed.error().message;
  status_.last_error_at = wall;
  start_at_ = now + backoff_.next(static_cast<std::uint32_t>(random_() << 1));
  log().error(kComponent, "cannot start a connector",
              {{"route", route_.name}, {"error", status_.last_error}});
}

void SupervisedRoute::hear(const std::string& line) {
  auto status = parse_status_line(line);
  if (!status) return log().warn(kComponent, status.error().message, {{"route", route_.name}});
  const RouteStatus before = std::exchange(status_, std::move(*status));
  if (status_.last_error.empty()) {
    status_.last_error = before.last_error;
    status_.last_error_at = before.last_error_at;
  }
  tell(before);
}

void SupervisedRoute::tell(const RouteStatus& before) {
  const bool new_state = before.state != status_.state;
  if (new_state && status_.state == RouteState::Connected) {
    log().info(kComponent, "connected", {{"route", route_.name}, {"to", target_}});
  } else if (status_.state == RouteState::Paused &&
             (new_state || before.last_error != status_.last_error)) {
    log().error(kComponent, "paused: its events stay queued",
                {{"route", route_.name}, {"to", target_}, {"error", status_.last_error}});
  } else if (status_.skipped > before.skipped) {
    log().error(kComponent, "gave an event up (on_poison = \"skip\")",
                {{"route", route_.name},
                 {"skipped", std::to_string(before_.skipped + status_.skipped)},
                 {"error", status_.last_error}});
  } else if (status_.missed > before.missed) {
    log().error(kComponent, "events were gone before they could be sent",
                {{"route", route_.name},
                 {"missed", std::to_string(before_.missed + status_.missed)},
                 {"error", status_.last_error}});
  } else if (status_.state == RouteState::Connecting &&
             (new_state || before.last_error != status_.last_error) &&
             !status_.last_error.empty()) {
    log().warn(kComponent, "not connected, trying again",
               {{"route", route_.name}, {"to", target_}, {"error", status_.last_error}});
  }
}

void SupervisedRoute::on_end(int exit_code, TimePoint now, WallTime wall) {
  const bool healthy = status_.state == RouteState::Connected || now - started_at_ > kHealthyRun;
  if (healthy) backoff_.reset();
  add_counts(before_, status_);
  RouteStatus after;
  if (status_.state == RouteState::Paused) after.state = RouteState::Paused;
  after.last_error = "its process ended: " + how_it_ended(exit_code);
  if (!status_.last_error.empty() && status_.state != RouteState::Connected) {
    after.last_error += ", after: " + status_.last_error;
  }
  after.last_error_at = wall;
  status_ = std::move(after);
  child_.reset();
  ++restarts_;
  start_at_ = now + backoff_.next(static_cast<std::uint32_t>(random_() << 1));
  log().warn(kComponent, "a connector has ended and will be started again",
             {{"route", route_.name}, {"how", how_it_ended(exit_code)}});
}

void SupervisedRoute::ask_to_end() {
  status_.state = RouteState::Stopped;
  status_.connected_since = {};
  if (child_) child_->signal(SIGTERM);
}

bool SupervisedRoute::ended() {
  if (child_) child_->take_lines();  // or a full pipe would hold it up
  return !child_ || child_->exit_code().has_value();
}

std::string SupervisedRoute::report_json() const {
  RouteStatus sum = before_;
  add_counts(sum, status_);
  nlohmann::json report{
      {"name", route_.name},
      {"direction", route_.direction == RouteDirection::Out ? "out" : "in"},
      {"to", target_},
      {"from", route_.from},
      {"state", name(status_.state)},
      {"connected_since", time_or_null(status_.connected_since)},
      {"sent", sum.sent},
      {"acked", sum.acked},
      {"taken", sum.taken},
      {"looped", sum.looped},
      {"skipped", sum.skipped},
      {"expired", sum.expired},
      {"missed", sum.missed},
      {"errors",
       {{"retry", sum.errors_retry}, {"poison", sum.errors_poison}, {"auth", sum.errors_auth}}},
      {"rate_per_s", status_.rate_per_s},
      {"last_error", status_.last_error},
      {"last_error_at", time_or_null(status_.last_error_at)},
      {"restarts", restarts_},
      {"pid", child_ ? nlohmann::json(child_->pid()) : nlohmann::json(nullptr)}};
  if (route_.direction == RouteDirection::Out) report["consumer"] = route_consumer(route_.name);
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace marram
