// What `marram status` and `marram route` print of a node's status_json(), for people.
//
// docs/status.md has the fields; what a node does not say is shown as "-".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/result.h"

namespace marram::cli {

// Errors: Protocol  no JSON object
Result<nlohmann::json> parse_status(const std::string& text);

// Node, store, MQTT, mesh, routes, consumers, one below the other.
std::string status_text(const nlohmann::json& status);

// One row a route: state, backlog, oldest age, rate, drain time, errors.
std::string routes_text(const nlohmann::json& status);

// Everything about one route, with what its consumer says.  Null: there is none of that name.
nlohmann::json find_route(const nlohmann::json& status, const std::string& name);
std::string route_text(const nlohmann::json& route);

// How long the backlog takes at this rate: "2m 5s", "-" for none, "never" at no rate.
std::string drain_text(double backlog, double rate_per_s);

}  // namespace marram::cli
