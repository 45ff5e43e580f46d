#include "gateway/cli/status_text.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/quantity.h"
#include "core/base/utf8.h"
#include "gateway/cli/mesh_text.h"
#include "gateway/cli/table.h"

namespace marram::cli {

namespace {

using nlohmann::json;

constexpr const char* kNothing = "-";
// A rate that is shown as 0.0: it fades slowly, and says nothing about the future.
constexpr double kStandsStill = 0.05;

const json& at(const json& object, const char* key) {
  static const json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

double number(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_number() ? value.get<double>() : 0;
}

// Numbers as they are, text without quotes, lists with blanks between.
std::string shown(const json& value) {
  if (value.is_null()) return kNothing;
  if (value.is_string()) return printable(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_float()) return fmt::format("{:.1f}", value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const json& item : value) out += (out.empty() ? "" : " ") + shown(item);
  return out.empty() ? kNothing : out;
}

std::string shown(const json& object, const char* key) { return shown(at(object, key)); }

std::string seconds_text(const json& seconds) {
  if (!seconds.is_number() || seconds.get<double>() < 0) return kNothing;
  const double micros = std::min(seconds.get<double>() * 1e6, 3e15);
  return duration_text(Duration(std::llround(micros)));
}

std::string size(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_number() ? bytes_text(static_cast<std::uint64_t>(value.get<double>())) : kNothing;
}

std::string oldest(const json& consumer) {
  return number(consumer, "backlog") > 0 ? seconds_text(at(consumer, "oldest_age_s")) : kNothing;
}

std::string rate(const json& object) {
  const json& value = at(object, "rate_per_s");
  return value.is_number() ? fmt::format("{:.1f}/s", value.get<double>()) : kNothing;
}

std::string node_text(const json& status) {
  const json& node = at(status, "node");
  return fmt::format("node       {}  version {}  up {}\nid         {}\ndata       {}\n",
                     shown(node, "name"), shown(node, "version"),
                     seconds_text(at(node, "uptime_s")), shown(node, "id"),
                     shown(node, "data_dir"));
}

std::string store_text(const json& status) {
  const json& store = at(status, "store");
  std::string out = fmt::format("store      {} in {} of {}, {} free on the disk\n",
                                counted(shown(store, "events"), "event"), size(store, "bytes"),
                                size(store, "max_bytes"), size(store, "disk_free_bytes"));
  if (at(store, "full") == true) out += "           FULL: new events are refused\n";
  const std::string failure = shown(store, "failure");
  if (failure != kNothing && !failure.empty())
    out += fmt::format("           FAILED: {}\n", failure);
  const std::string bad = shown(store, "quarantined");
  if (bad != kNothing && !bad.empty()) {
    out += fmt::format("           a damaged database was set aside: {}\n", bad);
  }
  for (const auto& [reason, count] : at(store, "dropped").items()) {
    out += fmt::format("           dropped: {} by {}\n", shown(count), reason);
  }
  return out;
}

std::string mqtt_text(const json& status) {
  const json& mqtt = at(status, "mqtt");
  if (!mqtt.is_object()) return "";
  std::string out = "mqtt       " + shown(mqtt, "listen");
  for (const auto& [key, value] : mqtt.items()) {
    if (key != "listen" && value.is_number()) out += fmt::format(", {} {}", key, shown(value));
  }
  return out + '\n';
}

std::string consumers_text(const json& status) {
  Table table({"consumer", "attached", ">backlog", ">oldest", ">in flight", ">redelivered", ">rate",
               ">drain"});
  for (const json& consumer : at(status, "consumers")) {
    table.add({shown(consumer, "name"), shown(consumer, "attached"), shown(consumer, "backlog"),
               oldest(consumer), shown(consumer, "in_flight"), shown(consumer, "redelivered"),
               rate(consumer),
               drain_text(number(consumer, "backlog"), number(consumer, "rate_per_s"))});
  }
  return table.empty() ? "" : "\n" + table.text();
}

const json& consumer_of(const json& status, const json& route) {
  static const json null;
  for (const json& consumer : at(status, "consumers")) {
    if (at(consumer, "name").is_string() && at(consumer, "name") == at(route, "consumer")) {
      return consumer;
    }
  }
  return null;
}

}  // namespace

Result<json> parse_status(const std::string& text) {
  json status = json::parse(text, nullptr, false);
  if (status.is_object()) return status;
  return fail(Errc::Protocol, "status: the node's answer is no JSON object");
}

std::string drain_text(double backlog, double rate_per_s) {
  if (backlog <= 0) return kNothing;
  if (rate_per_s < kStandsStill) return "never";
  return seconds_text(backlog / rate_per_s);
}

std::string routes_text(const json& status) {
  Table table(
      {"route", "direction", "state", ">backlog", ">oldest", ">rate", ">drain", ">done", "error"});
  for (const json& route : at(status, "routes")) {
    const json& consumer = consumer_of(status, route);
    const bool in = at(route, "direction") == "in";
    // `route show` still has the last error of a route that has recovered.
    const bool well = at(route, "state") == "connected";
    // The consumer knows what is owed, the route how fast the other side takes it.
    const double backlog = number(consumer, "backlog");
    table.add({shown(route, "name"), shown(route, "direction"), shown(route, "state"),
               shown(consumer, "backlog"), oldest(consumer), rate(route),
               in ? kNothing : drain_text(backlog, number(route, "rate_per_s")),
               shown(route, in ? "taken" : "acked"), well ? "" : shown(route, "last_error")});
  }
  return table.text();
}

json find_route(const json& status, const std::string& name) {
  for (const json& route : at(status, "routes")) {
    if (at(route, "name") != name) continue;
    json found = route;
    const json& consumer = consumer_of(status, route);
    for (const char* key : {"backlog", "oldest_age_s", "in_flight", "redelivered"}) {
      if (!at(consumer, key).is_null()) found[key] = at(consumer, key);
    }
    return found;
  }
  return {};
}

std::string route_text(const json& route) {
  std::string out;
  for (const auto& [key, value] : route.items()) {
    if (!value.is_object()) {
      out += fmt::format("{:<18} {}\n", key, shown(value));
      continue;
    }
    for (const auto& [inner, count] : value.items()) {
      out += fmt::format("{:<18} {}\n", fmt::format("{}.{}", key, inner), shown(count));
    }
  }
  return out;
}

std::string status_text(const json& status) {
  std::string out = node_text(status) + store_text(status) + mqtt_text(status) + mesh_text(status);
  if (!at(status, "routes").empty()) out += "\n" + routes_text(status);
  return out + consumers_text(status);
}

}  // namespace marram::cli
