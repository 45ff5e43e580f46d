#include "gateway/connectors/route_status.h"

#include <array>
#include <nlohmann/json.hpp>

namespace marram {
namespace {

using nlohmann::json;

constexpr std::array kStates{RouteState::Connecting, RouteState::Connected, RouteState::Paused,
                             RouteState::Stopped};

json micros(WallTime time) { return time.time_since_epoch().count(); }

void read(const json& from, const char* key, std::uint64_t& to) {
  const auto at = from.find(key);
  if (at != from.end() && at->is_number_unsigned()) to = at->get<std::uint64_t>();
}

void read(const json& from, const char* key, WallTime& to) {
  const auto at = from.find(key);
  if (at != from.end() && at->is_number_integer()) to = WallTime(Duration(at->get<std::int64_t>()));
}

}  // namespace

const char* name(RouteState state) {
  switch (state) {
    case RouteState::Connecting:
      return "connecting";
    case RouteState::Connected:
      return "connected";
    case RouteState::Paused:
      return "paused";
    case RouteState::Stopped:
      return "stopped";
  }
  return "stopped";
}

std::string status_line(const RouteStatus& status) {
  const json line{{"state", name(status.state)},
                  {"connected_since", micros(status.connected_since)},
                  {"sent", status.sent},
                  {"acked", status.acked},
                  {"taken", status.taken},
                  {"looped", status.looped},
                  {"skipped", status.skipped},
                  {"expired", status.expired},
                  {"missed", status.missed},
                  {"errors_retry", status.errors_retry},
                  {"errors_poison", status.errors_poison},
                  {"errors_auth", status.errors_auth},
                  {"rate_per_s", status.rate_per_s},
                  {"last_error", status.last_error},
                  {"last_error_at", micros(status.last_error_at)}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<RouteStatus> parse_status_line(std::string_view line) {
  const json from = json::parse(line, nullptr, false);
  if (!from.is_object() || !from.contains("state") || !from["state"].is_string()) {
    return fail(Errc::Protocol, "route: a connector has sent a line that is no status");
  }
  RouteStatus status;
  for (const RouteState state : kStates) {
    if (from["state"] == name(state)) status.state = state;
  }
  read(from, "connected_since", status.connected_since);
  read(from, "sent", status.sent);
  read(from, "acked", status.acked);
  read(from, "taken", status.taken);
  read(from, "looped", status.looped);
  read(from, "skipped", status.skipped);
  read(from, "expired", status.expired);
  read(from, "missed", status.missed);
  read(from, "errors_retry", status.errors_retry);
  read(from, "errors_poison", status.errors_poison);
  read(from, "errors_auth", status.errors_auth);
  read(from, "last_error_at", status.last_error_at);
  if (const auto at = from.find("rate_per_s"); at != from.end() && at->is_number()) {
    status.rate_per_s = at->get<double>();
  }
  if (const auto at = from.find("last_error"); at != from.end() && at->is_string()) {
    status.last_error = at->get<std::string>();
  }
  return status;
}

}  // namespace marram
