#include "gateway/cli/config.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

#include "tests/cli/load.h"

namespace marram::cli {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("cli/config");

TEST_CASE("without a file everything has its default") {
  const LoadedConfig loaded = load_config({});
  const Config& config = loaded.config;

  CHECK(loaded.report.problems.empty());
  CHECK_FALSE(config.node.name.empty());
  CHECK(config.node.data_dir == "marram-data");
  CHECK(config.node.listen == std::vector<std::string>{"ipc://marram-data/marram.sock"});
  CHECK(config.node.durability == Durability::Fsync);
  CHECK(config.node.max_bytes == std::uint64_t{1} << 30);
  CHECK(config.node.reserve_free_share == doctest::Approx(0.05));
  CHECK(config.mqtt.listen == std::vector<std::string>{"mqtt://127.0.0.1:1883"});
  CHECK_FALSE(config.mqtt.allow_anonymous);
  CHECK(config.routes.empty());
  CHECK(config.log.format == LogFormat::Auto);
  CHECK(config.log.level == LogLevel::Info);
}

TEST_CASE("node, store and streams are read") {
  const LoadedConfig loaded = load(R"(
[node]
name = "gw-3"
data_dir = "/var/lib/marram"
[store]
durability = "os"
max_bytes = "2GiB"
reserve_free = "10%"
[[stream]]
name = "alarms"
topics = ["plant/+/alarm/#"]
durability = "fsync"
priority = "high"
retain = { age = "7d", bytes = "256MiB" }
ttl = "90d"
on_full = "drop-oldest"
[[stream]]
name = "events"
priority = "low"
)");
  const NodeOptions& node = loaded.config.node;

  REQUIRE(loaded.report.problems.empty());
  CHECK(node.name == "gw-3");
  CHECK(node.data_dir == "/var/lib/marram");
  CHECK(node.listen == std::vector<std::string>{"ipc:///var/lib/marram/marram.sock"});
  CHECK(node.durability == Durability::Os);
  CHECK(node.max_bytes == std::uint64_t{2} << 30);
  CHECK(node.reserve_free_share == doctest::Approx(0.10));
  REQUIRE(node.streams.size() == 2);
  const StreamOptions& alarms = node.streams[0];
  CHECK(alarms.name == "alarms");
  CHECK(alarms.topics == std::vector<std::string>{"plant/+/alarm/#"});
  CHECK(alarms.durability == Durability::Fsync);
  CHECK(alarms.priority == Priority::High);
  CHECK(alarms.retain.age == std::chrono::days(7));
  CHECK(alarms.retain.bytes == std::uint64_t{256} << 20);
  CHECK(alarms.ttl == std::chrono::days(90));
  CHECK(alarms.on_full == OnFull::DropOldest);
  CHECK(node.streams[1].priority == Priority::Low);
  CHECK_FALSE(node.streams[1].durability.has_value());
}

TEST_CASE("the MQTT listener is read; its files are sought beside the config file") {
  const TempDir dir;
  const std::string file = dir.write("m.toml", R"(
[mqtt]
listen = ["mqtt://127.0.0.1:1884", "mqtts://0.0.0.0:8883"]
users_file = "users.toml"
allow_anonymous = true
tls = { certificate_file = "tls/node.pem", key_file = "/etc/key.pem", client_ca_file = "ca.pem" }
[mqtt.limits]
connections_max = 50
connections_per_address_max = 5
sessions_max = 60
packet_bytes_max = "1MiB"
connect_bytes_max = 4096
connect_within = "5s"
receive_maximum = 20
session_expiry_max = "1d"
keep_alive_max = "10m"
unsent_bytes_max = "64KiB"
unfinished_bytes_max = "1MiB"
in_flight_max = 30
)");
  const LoadedConfig loaded = load_config({.file = file});
  const mqtt::MqttOptions& mqtt = loaded.config.mqtt;

  REQUIRE(loaded.report.problems.empty());
  CHECK(mqtt.listen == std::vector<std::string>{"mqtt://127.0.0.1:1884", "mqtts://0.0.0.0:8883"});
  CHECK(mqtt.users_file == dir / "users.toml");
  CHECK(mqtt.allow_anonymous);
  CHECK(mqtt.tls.certificate_file == dir / "tls/node.pem");
  CHECK(mqtt.tls.key_file == "/etc/key.pem");
  CHECK(mqtt.tls.client_ca_file == dir / "ca.pem");
  CHECK(mqtt.limits.connections_max == 50);
  CHECK(mqtt.limits.connections_per_address_max == 5);
  CHECK(mqtt.limits.sessions_max == 60);
  CHECK(mqtt.limits.packet_bytes_max == 1 << 20);
  CHECK(mqtt.limits.connect_bytes_max == 4096);
  CHECK(mqtt.limits.connect_within == 5s);
  CHECK(mqtt.limits.receive_maximum == 20);
  CHECK(mqtt.limits.session_expiry_max == 24h);
  CHECK(mqtt.limits.keep_alive_max == 10min);
  CHECK(mqtt.limits.unsent_bytes_max == 64 << 10);
  CHECK(mqtt.limits.unfinished_bytes_max == 1 << 20);
  CHECK(mqtt.limits.in_flight_max == 30);
}

TEST_CASE("an empty listen turns a listener off") {
  CHECK(load("[mqtt]\nlisten = []\n").config.mqtt.listen.empty());
  CHECK(load("[mqtt]\nlisten = \"\"\n").config.mqtt.listen.empty());
  CHECK(load("[client]\nlisten = []\n").config.node.listen.empty());
  CHECK(load("", {.sets = {"mqtt.listen="}}).config.mqtt.listen.empty());
}

TEST_CASE("limits and log are read") {
  const LoadedConfig loaded = load(
      "[limits]\npayload_bytes_max = \"1MiB\"\nheaders_max = 3\n"
      "[log]\nformat = \"json\"\nlevel = \"debug\"\n");

  REQUIRE(loaded.report.problems.empty());
  CHECK(loaded.config.node.limits.payload_bytes_max == 1 << 20);
  CHECK(loaded.config.node.limits.headers_max == 3);
  CHECK(loaded.config.log.format == LogFormat::Json);
  CHECK(loaded.config.log.level == LogLevel::Debug);
}

TEST_CASE("config show prints TOML that says the same again, with the source of each value") {
  const std::string text =
      "[node]\nname = \"gw \\\"3\\\"\"\n[[stream]]\nname = \"a\"\ntopics = [\"a/#\"]\n"
      "retain = { age = \"90m\" }\n";
  const LoadedConfig first = load(text, {.sets = {"store.max_bytes=2MiB"}});

  const std::string shown = config_text(first.report);
  const LoadedConfig second = load(shown);

  REQUIRE(first.report.problems.empty());
  CHECK(problem(shown) == "");
  CHECK(shown.find("name = \"gw \\\"3\\\"\"") != std::string::npos);
  CHECK(shown.find("  # m.toml:2:8\n") != std::string::npos);
  CHECK(shown.find("  # --set store.max_bytes\n") != std::string::npos);
  CHECK(shown.find("# ttl is not set") != std::string::npos);
  REQUIRE(first.report.effective.size() <= second.report.effective.size());
  for (const EffectiveValue& value : first.report.effective) {
    const auto same = [&](const EffectiveValue& other) {
      return other.section == value.section && other.key == value.key && other.value == value.value;
    };
    CHECK_MESSAGE(std::ranges::any_of(second.report.effective, same), value.section, ".",
                  value.key);
  }
}

TEST_CASE("config show --json has every key with value and source") {
  const std::string json =
      config_json(load("[store]\nreserve_free = \"7%\"\n[mqtt]\nlisten = []\n").report);

  CHECK(json.find(R"("key": "reserve_free",
    "value": "7%",
    "source": "m.toml:2:16")") != std::string::npos);
  CHECK(json.find(R"("key": "listen",
    "value": [],)") != std::string::npos);
}

TEST_SUITE_END();

}  // namespace marram::cli
