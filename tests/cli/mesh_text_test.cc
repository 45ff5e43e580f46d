#include "gateway/cli/mesh_text.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "gateway/cli/status_text.h"

namespace marram::cli {

namespace {

const char* const kStatus = R"({
  "mesh": {"id": "aaaaaaaa11", "nodes": 3, "logs": 5, "gaps": {"lost": 7},
    "links": [{"peer": "bbbbbbbb22", "name": "hub", "address": "tcp://hub:7400", "dialled": true,
               "state": "up", "round_trip_s": 0.0123, "rate_bytes_per_s": 2097152,
               "backlog": {"high": 0, "normal": 1200, "low": 3}, "behind_s": 65.0,
               "drain_s": 4.5}],
    "holds": [{"peer": "cccccccc33", "stream": "alarms", "connected": false, "owed": 40,
               "contact": "2025-11-24T10:00:00Z"}],
    "holes": [{"origin": "dddddddd44", "epoch": "3-ff", "stream": "events", "from": 40, "to": 50,
               "waits_for": "no node that has it can be reached"}],
    "map": [
      {"id": "aaaaaaaa11", "name": "gw-a", "neighbours": [{"id": "bbbbbbbb22", "cost": 1}]},
      {"id": "bbbbbbbb22", "name": "hub", "neighbours": [{"id": "aaaaaaaa11", "cost": 1},
                                                          {"id": "cccccccc33", "cost": 2}]},
      {"id": "cccccccc33", "name": "<c>&\u001b[2J", "neighbours": []}]}})";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("cli/mesh_text");

TEST_CASE("status shows links, what is held for peers and what is waited for") {
  const std::string text = status_text(parse_status(kStatus).value());

  CHECK(has(text, "mesh       3 nodes, 5 logs, 1 link\n"));
  CHECK(has(text, "gone: 7 by lost"));
  CHECK(has(text, "hub (bbbbbbbb)  to tcp://hub:7400  up"));
  CHECK(has(text, "2.0 MiB/s     0    1200    3   1m 5s"));
  CHECK(has(text, "cccccccc  alarms  no           40  2025-11-24T10:00:00Z"));
  CHECK(has(text, "dddddddd  3-ff   events    40  50  no node that has it can be reached"));
}

TEST_CASE("a node without a mesh shows none") {
  CHECK(mesh_text(parse_status("{}").value()) == "");
  CHECK(map_text(parse_status("{}").value()) == "0 nodes, 0 links\n");
}

TEST_CASE("the map lists nodes and neighbours, and marks what only one end says") {
  const std::string text = map_text(parse_status(kStatus).value());

  CHECK(has(text, "3 nodes, 1 link\n"));
  CHECK(has(text, "* gw-a (aaaaaaaa)\n    - hub (bbbbbbbb)  cost 1\n"));
  CHECK(has(text, "    ? <c>&?[2J (cccccccc)  cost 2\n"));
}

TEST_CASE("a leaf that announces nothing is on the map of those who have a link with it") {
  const std::string text = map_text(parse_status(R"({"node": {"name": "hub"}, "mesh": {
      "id": "aaaaaaaa11", "links": [{"peer": "bbbbbbbb22", "name": "leaf"}], "map": []}})")
                                        .value());

  CHECK(has(text, "2 nodes, 1 link\n"));
  CHECK(has(text, "* hub (aaaaaaaa)\n    - leaf (bbbbbbbb)  cost 1\n"));
}

TEST_CASE("the picture has a circle a node and a line a link, and no markup of a stranger's") {
  const std::string svg = map_svg(parse_status(kStatus).value());

  const auto count = [&](const std::string& part) {
    std::size_t found = 0;
    for (auto from = svg.find(part); from != std::string::npos; from = svg.find(part, from + 1)) {
      ++found;
    }
    return found;
  };
  CHECK(count("<circle") == 3);
  CHECK(count("<line") == 2);
  CHECK(count("stroke-dasharray") == 1);
  CHECK(has(svg, "&lt;c&gt;&amp;"));
  CHECK_FALSE(has(svg, "<c>"));
  CHECK(svg.ends_with("</svg>\n"));
}

TEST_SUITE_END();

}  // namespace marram::cli
