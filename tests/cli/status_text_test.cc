#include "gateway/cli/status_text.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "gateway/cli/table.h"

namespace marram::cli {

namespace {

const char* const kStatus = R"({
  "node": {"name": "gw-3", "id": "n1", "version": "0.1.0", "uptime_s": 65, "data_dir": "/d"},
  "store": {"events": 10, "bytes": 2048, "max_bytes": 1073741824, "disk_free_bytes": 1048576,
            "full": true, "failure": "", "dropped": {"ttl": 4}},
  "consumers": [
    {"name": "route:cloud", "attached": true, "backlog": 500, "oldest_age_s": 90.5,
     "in_flight": 7, "redelivered": 1, "rate_per_s": 50.0, "drain_s": 10},
    {"name": "report", "attached": false, "backlog": 0, "oldest_age_s": null}],
  "mqtt": {"listen": ["mqtt://127.0.0.1:1883"], "clients": 3, "sessions": 1, "bytes": {"sent": 1}},
  "routes": [
    {"name": "cloud", "direction": "out", "state": "connected", "rate_per_s": 100.0, "acked": 42,
     "last_error": "overcome", "consumer": "route:cloud", "errors": {"retry": 3}},
    {"name": "commands", "direction": "in", "state": "paused", "taken": 5, "rate_per_s": 0.0,
     "last_error": "bad\u001b[2J password"}]})";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("cli/status_text");

TEST_CASE("status shows store, routes and consumers with backlog, age and drain time") {
  const std::string text = status_text(parse_status(kStatus).value());

  CHECK(has(text, "node       gw-3  version 0.1.0  up 1m 5s\n"));
  CHECK(has(text, "10 events in 2.0 KiB of 1.0 GiB, 1.0 MiB free"));
  CHECK(has(text, "FULL: new events are refused"));
  CHECK_FALSE(has(text, "FAILED"));
  CHECK(has(text, "dropped: 4 by ttl"));
  CHECK(has(text, "route:cloud  yes           500  1m 30s          7            1  50.0/s    10s"));
  CHECK(has(text, "report       no              0       -"));
  CHECK(has(text, "mqtt       mqtt://127.0.0.1:1883, clients 3, sessions 1\n"));
}

TEST_CASE("a route's row has its consumer's backlog and its own rate") {
  const std::string text = routes_text(parse_status(kStatus).value());

  CHECK(has(text, "cloud     out        connected      500  1m 30s  100.0/s     5s    42"));
  CHECK(has(text, "commands  in         paused           -       -    0.0/s      -     5"));
  CHECK(has(text, "bad?[2J password"));
  CHECK_FALSE(has(text, "overcome"));
}

TEST_CASE("one route is shown with what its consumer says") {
  const auto status = parse_status(kStatus).value();

  const std::string text = route_text(find_route(status, "cloud"));

  CHECK(has(text, "backlog            500\n"));
  CHECK(has(text, "errors.retry       3\n"));
  CHECK(find_route(status, "clod").is_null());
}

TEST_CASE("drain time is backlog by rate") {
  CHECK(drain_text(0, 0) == "-");
  CHECK(drain_text(10, 0) == "never");
  CHECK(drain_text(10, 0.001) == "never");
  CHECK(drain_text(1000, 10) == "1m 40s");
  CHECK(drain_text(1e18, 0.1).ends_with("h"));
}

TEST_CASE("a status with nothing in it is shown, an answer that is no object is refused") {
  CHECK(has(status_text(parse_status("{}").value()), "node       -"));
  CHECK(parse_status("[]").error().code == Errc::Protocol);
  CHECK(parse_status("{").error().code == Errc::Protocol);
}

TEST_CASE("columns are as wide as their widest cell, in characters") {
  Table table({"name", ">n", "rest"});
  table.add({"gr\xc3\xbcn", "1", "a"});
  table.add({"x", "1000", ""});

  CHECK(table.text() == "name     n  rest\ngr\xc3\xbcn     1  a\nx     1000\n");
}

TEST_SUITE_END();

}  // namespace marram::cli
