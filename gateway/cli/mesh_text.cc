#include "gateway/cli/mesh_text.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/quantity.h"
#include "core/base/utf8.h"
#include "gateway/cli/table.h"

namespace marram::cli {

namespace {

using nlohmann::json;

const json& at(const json& object, const char* key) {
  static const json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

std::string text(const json& object, const char* key) {
  const json& value = at(object, key);
  if (value.is_string()) return printable(value.get<std::string>());
  return value.is_number_integer() ? value.dump() : "-";
}

std::string time_text(const json& object, const char* key) {
  const json& value = at(object, key);
  if (!value.is_number() || value.get<double>() <= 0) return "-";
  return duration_text(Duration(std::llround(std::min(value.get<double>() * 1e6, 3e15))));
}

std::string rate_text(const json& link) {
  const json& rate = at(link, "rate_bytes_per_s");
  if (!rate.is_number() || rate.get<double>() <= 0) return "-";
  return bytes_text(static_cast<std::uint64_t>(rate.get<double>())) + "/s";
}

// A name where there is one, and enough of the id to tell two of them apart.
std::string who(const json& name, const std::string& id) {
  std::string shown = printable(id.substr(0, 8));
  if (!name.is_string() || name.get<std::string>().empty()) return shown;
  return fmt::format("{} ({})", printable(name.get<std::string>()), shown);
}

std::string holds_text(const json& mesh) {
  Table table({"held for", "stream", "connected", ">owed", "last contact"});
  for (const json& hold : at(mesh, "holds")) {
    table.add({text(hold, "peer").substr(0, 8), text(hold, "stream"),
               at(hold, "connected") == true ? "yes" : "no", text(hold, "owed"),
               text(hold, "contact")});
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string holes_text(const json& mesh) {
  Table table({"waits in", "epoch", "stream", ">from", ">to", "for"});
  for (const json& hole : at(mesh, "holes")) {
    table.add({text(hole, "origin").substr(0, 8), text(hole, "epoch"), text(hole, "stream"),
               text(hole, "from"), text(hole, "to"), text(hole, "waits_for")});
  }
  return table.empty() ? "" : "\n" + table.text();
}

}  // namespace

std::string links_text(const json& status) {
  Table table({"peer", "address", "state", ">round trip", ">rate", ">high", ">normal", ">low",
               ">behind", ">drain"});
  for (const json& link : at(at(status, "mesh"), "links")) {
    const json& backlog = at(link, "backlog");
    table.add({who(at(link, "name"), text(link, "peer")),
               (at(link, "dialled") == true ? "to " : "from ") + text(link, "address"),
               text(link, "state"), time_text(link, "round_trip_s"), rate_text(link),
               text(backlog, "high"), text(backlog, "normal"), text(backlog, "low"),
               time_text(link, "behind_s"), time_text(link, "drain_s")});
  }
  return table.text();
}

std::string mesh_text(const json& status) {
  const json& mesh = at(status, "mesh");
  if (!mesh.is_object()) return "";
  const json& links = at(mesh, "links");
  const std::size_t count = links.is_array() ? links.size() : 0;
  std::string out =
      fmt::format("mesh       {}, {}, {}\n", counted(text(mesh, "nodes"), "node"),
                  counted(text(mesh, "logs"), "log"), counted(std::to_string(count), "link"));
  for (const auto& [reason, count] : at(mesh, "gaps").items()) {
    out += fmt::format("           gone: {} by {}\n", count.dump(), printable(reason));
  }
  if (links.is_array() && !links.empty()) out += "\n" + links_text(status);
  return out + holds_text(mesh) + holes_text(mesh);
}

}  // namespace marram::cli
