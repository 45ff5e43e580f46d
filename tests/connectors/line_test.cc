#include <doctest/doctest.h>

#include <string>

#include "gateway/connectors/backoff.h"
#include "gateway/connectors/connector_config.h"
#include "gateway/connectors/mqtt_fault.h"
#include "gateway/connectors/route_status.h"

namespace marram {
namespace {

TEST_SUITE_BEGIN("connectors/line");

using namespace std::chrono_literals;

TEST_CASE("a configuration reaches the child as it was, in one line") {
  ConnectorConfig config;
  config.route = {.name = "cl\noud",
                  .direction = RouteDirection::In,
                  .from = {"a/#", "b"},
                  .to = "mqtts://h:1",
                  .topic = "{topic}",
                  .user = "u",
                  .password = "p\"\n",
                  .tls = {"ca", "cert", "key"},
                  .protocol = MqttVersion::V311,
                  .client_id = "c",
                  .in_flight = 7,
                  .keep_alive = 9s,
                  .qos = 1,
                  .on_poison = OnPoison::Skip};
  config.endpoint = "ipc://x";
  config.paused_for = 3s;

  const std::string line = config_line(config);
  const auto back = parse_config_line(line);

  CHECK(line.find('\n') == std::string::npos);
  REQUIRE(back);
  CHECK(config_line(*back) == line);
  CHECK(back->route.password == "p\"\n");
  CHECK(back->route.protocol == MqttVersion::V311);
  CHECK(back->paused_for == 3s);
}

TEST_CASE("what is no configuration is refused without showing any of it") {
  for (const std::string line : {"", "{", "[]", "{\"route\":{\"password\":\"secret\"}}"}) {
    const auto config = parse_config_line(line);
    REQUIRE_FALSE(config);
    CHECK(config.error().message.find("secret") == std::string::npos);
  }
}

TEST_CASE("a status line is read back as it was") {
  RouteStatus status;
  status.state = RouteState::Paused;
  status.connected_since = WallTime(5us);
  status.sent = 9;
  status.acked = 8;
  status.taken = 7;
  status.looped = 6;
  status.skipped = 5;
  status.expired = 4;
  status.missed = 11;
  status.errors_auth = 3;
  status.errors_poison = 2;
  status.errors_retry = 1;
  status.rate_per_s = 1.5;
  status.last_error = "a \"b\"\n";

  const std::string line = status_line(status);

  CHECK(line.find('\n') == std::string::npos);
  REQUIRE(parse_status_line(line));
  CHECK(status_line(*parse_status_line(line)) == line);
}

TEST_CASE("a line of a child that is no status is told apart") {
  for (const std::string line : {"", "hello", "{}", "{\"state\":7}", "[\"state\"]"}) {
    CHECK_FALSE(parse_status_line(line));
  }
}

TEST_CASE("waits double up to the longest, within their upper half, and start over") {
  Backoff backoff(200ms, 30s);

  CHECK(backoff.next(0) == 100ms);
  CHECK(backoff.next(UINT32_MAX) == 400ms);
  for (int i = 0; i < 20; ++i) backoff.next(0);
  CHECK(backoff.next(0) == 15s);
  CHECK(backoff.next(UINT32_MAX) == 30s);
  backoff.reset();
  CHECK(backoff.next(UINT32_MAX) == 200ms);
}

TEST_CASE("codes of either protocol version are of three kinds") {
  for (const int code : {4, 5, 0x86, 0x87}) CHECK(connect_fault(code) == FaultKind::Auth);
  for (const int code : {-1, 0, 3, 0x88, 0x89, 0x97})
    CHECK(connect_fault(code) == FaultKind::Retry);
  for (const int code : {0x90, 0x95, 0x99}) CHECK(publish_fault(code) == FaultKind::Poison);
  for (const int code : {0x80, 0x83, 0x91, 0x97}) CHECK(publish_fault(code) == FaultKind::Retry);
  CHECK(publish_fault(0x87) == FaultKind::Auth);
  CHECK(lost_fault(0x95) == FaultKind::Poison);
  CHECK(lost_fault(0) == FaultKind::Retry);
  CHECK(lost_fault(0x8B) == FaultKind::Retry);
  CHECK(subscribe_fault(0x87) == FaultKind::Auth);
  CHECK(mqtt_code_text(0x87) == "not authorized (0x87)");
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram
