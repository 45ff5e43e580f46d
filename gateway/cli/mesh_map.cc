// The mesh as a list and as a picture.
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/utf8.h"
#include "gateway/cli/mesh_text.h"
#include "gateway/cli/table.h"

namespace marram::cli {

namespace {

using nlohmann::json;

struct Node {
  std::string id;
  std::string name;
  bool own = false;
  std::map<std::string, std::uint64_t> neighbours;  // id, cost
};

std::string word(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::map<std::string, Node> read_map(const json& status) {
  std::map<std::string, Node> nodes;
  if (!status.contains("mesh") || !status["mesh"].is_object()) return nodes;
  const json& mesh = status["mesh"];
  const std::string own = word(mesh, "id");
  for (const json& record : mesh.value("map", json::array())) {
    const std::string id = word(record, "id");
    if (id.empty()) continue;
    Node& node = nodes[id];
    node.id = id;
    node.name = word(record, "name");
    node.own = id == own;
    for (const json& neighbour : record.value("neighbours", json::array())) {
      node.neighbours[word(neighbour, "id")] = neighbour.value("cost", std::uint64_t{1});
    }
  }
  if (own.empty()) return nodes;
  // A leaf announces nothing: that it is there only those know who have a link with it.
  Node& here = nodes[own];
  here.id = own;
  here.own = true;
  if (here.name.empty() && status.contains("node")) here.name = word(status["node"], "name");
  for (const json& link : mesh.value("links", json::array())) {
    const std::string peer = word(link, "peer");
    if (peer.empty()) continue;
    Node& node = nodes[peer];
    node.id = peer;
    if (node.name.empty()) node.name = word(link, "name");
    node.neighbours.try_emplace(own, 1);
    nodes[own].neighbours.try_emplace(peer, 1);
  }
  return nodes;
}

std::string label(const std::map<std::string, Node>& nodes, const std::string& id) {
  const auto found = nodes.find(id);
  std::string shown = printable(id.substr(0, 8));
  if (found == nodes.end() || found->second.name.empty()) return shown;
  return fmt::format("{} ({})", printable(found->second.name), shown);
}

// Both ends say so.
bool mutual(const std::map<std::string, Node>& nodes, const std::string& a, const std::string& b) {
  const auto other = nodes.find(b);
  return other != nodes.end() && other->second.neighbours.contains(a);
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

struct Point {
  double x = 0;
  double y = 0;
};

std::map<std::string, Point> places(const std::map<std::string, Node>& nodes, double middle,
                                    double radius) {
  std::map<std::string, Point> out;
  const double step =
      2 * std::numbers::pi / static_cast<double>(std::max<std::size_t>(1, nodes.size()));
  double angle = -std::numbers::pi / 2;
  for (const auto& [id, node] : nodes) {
    out[id] = {middle + radius * std::cos(angle), middle + radius * std::sin(angle)};
    angle += step;
  }
  return out;
}

std::string links_svg(const std::map<std::string, Node>& nodes,
                      const std::map<std::string, Point>& at) {
  std::string out;
  for (const auto& [id, node] : nodes) {
    for (const auto& [other, cost] : node.neighbours) {
      const bool both = mutual(nodes, id, other);
      if (!at.contains(other) || (both && other < id)) continue;
      out += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"{}>)"
                         "<title>{} - {}, cost {}</title></line>"
                         "\n",
                         at.at(id).x, at.at(id).y, at.at(other).x, at.at(other).y,
                         both ? "" : R"( stroke-dasharray="4 4")", escaped(label(nodes, id)),
                         escaped(label(nodes, other)), cost);
    }
  }
  return out;
}

}  // namespace

std::string map_text(const json& status) {
  const auto nodes = read_map(status);
  std::size_t ends = 0;
  std::string list;
  for (const auto& [id, node] : nodes) {
    list += fmt::format("{} {}\n", node.own ? "*" : " ", label(nodes, id));
    for (const auto& [other, cost] : node.neighbours) {
      const bool both = mutual(nodes, id, other);
      ends += both ? 1 : 0;
      list += fmt::format("    {} {}  cost {}\n", both ? "-" : "?", label(nodes, other), cost);
    }
  }
  return fmt::format("{}, {}\n{}", counted(std::to_string(nodes.size()), "node"),
                     counted(std::to_string(ends / 2), "link"), list);
}

std::string map_svg(const json& status) {
  const auto nodes = read_map(status);
  const double radius = std::max(120.0, 14.0 * static_cast<double>(nodes.size()));
  const double side = 2 * radius + 240;
  const auto at = places(nodes, side / 2, radius);
  std::string out =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {0:.0f}" )"
                  R"(font-family="sans-serif" font-size="12">)"
                  "\n<g stroke=\"#888\" stroke-width=\"1.5\">\n{1}</g>\n",
                  side, links_svg(nodes, at));
  for (const auto& [id, node] : nodes) {
    const Point& point = at.at(id);
    out += fmt::format(
        R"(<circle cx="{:.1f}" cy="{:.1f}" r="9" fill="{}" stroke="#2a7" stroke-width="2"/>)"
        R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)"
        "\n",
        point.x, point.y, node.own ? "#2a7" : "#fff", point.x, point.y - 14,
        escaped(label(nodes, id)));
  }
  return out + "</svg>\n";
}

}  // namespace marram::cli
