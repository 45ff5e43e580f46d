#include "gateway/cli/config_overrides.h"

#include <doctest/doctest.h>

#include "tests/cli/load.h"

namespace marram::cli {

TEST_SUITE_BEGIN("cli/config_overrides");

TEST_CASE("--set wins over the environment, which wins over the file") {
  const std::string text = "[node]\nname = \"file\"\n";
  const ConfigSources environment{.environment = {{"MARRAM_NODE__NAME", "env"}}};
  const ConfigSources both{.environment = environment.environment, .sets = {"node.name=set"}};

  CHECK(load(text).config.node.name == "file");
  CHECK(load(text, environment).config.node.name == "env");
  CHECK(load(text, both).config.node.name == "set");
}

TEST_CASE("an override is read as what its key takes") {
  const LoadedConfig loaded =
      load("", {.sets = {"node.name=5", "mqtt.allow_anonymous=true", "limits.headers_max=7",
                         "store.max_bytes=2MiB", "mqtt.listen=mqtt://127.0.0.1:1,mqtt://[::1]:2",
                         "client.listen=[\"tcp://127.0.0.1:7\"]"}});

  REQUIRE(loaded.report.problems.empty());
  CHECK(loaded.config.node.name == "5");
  CHECK(loaded.config.mqtt.allow_anonymous);
  CHECK(loaded.config.node.limits.headers_max == 7);
  CHECK(loaded.config.node.max_bytes == 2 << 20);
  CHECK(loaded.config.mqtt.listen ==
        std::vector<std::string>{"mqtt://127.0.0.1:1", "mqtt://[::1]:2"});
  CHECK(loaded.config.node.listen == std::vector<std::string>{"tcp://127.0.0.1:7"});
}

TEST_CASE("keys inside tables and named routes and streams can be overridden") {
  const std::string text =
      "[[stream]]\nname = \"hot-ones\"\ntopics = [\"a\"]\nretain = { age = \"1h\" }\n";

  const LoadedConfig loaded =
      load(text, {.environment = {{"MARRAM_STREAM__HOT_ONES__TTL", "5m"}},
                  .sets = {"stream.hot-ones.retain.age=2h", "mqtt.tls.key_file=k.pem"}});

  REQUIRE(loaded.report.problems.empty());
  CHECK(loaded.config.node.streams[0].retain.age == std::chrono::hours(2));
  CHECK(loaded.config.node.streams[0].ttl == std::chrono::minutes(5));
  CHECK(loaded.config.mqtt.tls.key_file == "k.pem");
}

TEST_CASE("a path in an override is relative to the working directory") {
  CHECK(load("", {.sets = {"mqtt.users_file=users.toml"}}).config.mqtt.users_file == "users.toml");
}

TEST_CASE("mistakes in overrides are refused with where they were made") {
  CHECK(problem("", {.sets = {"node.nam=x"}}) ==
        "--set node.nam: unknown key \"nam\" in [node] (did you mean \"name\"?)");
  CHECK(problem("", {.environment = {{"MARRAM_NODE__NAEM", "x"}}}) ==
        "environment MARRAM_NODE__NAEM: unknown key \"naem\" in [node] (did you mean \"name\"?)");
  CHECK(problem("", {.sets = {"nod.name=x"}}) ==
        "--set nod.name: unknown section \"nod\" (did you mean \"node\"?)");
  CHECK(problem("", {.sets = {"node.name"}}) == "--set node.name: write --set section.key=value");
  CHECK(problem("", {.sets = {"name=x"}}) == "--set name: write --set section.key=value");
  CHECK(problem("", {.environment = {{"MARRAM___NAME", "x"}}}) ==
        "environment MARRAM___NAME: names no key (write MARRAM_SECTION__KEY)");
  CHECK(problem("[[stream]]\nname=\"a\"\ntopics=\"a\"\n", {.sets = {"stream.b.ttl=1h"}}) ==
        "--set stream.b.ttl: there is no [[stream]] named \"b\"");
  CHECK(problem("", {.sets = {"mqtt.allow_anonymous=yes"}}) ==
        "--set mqtt.allow_anonymous: mqtt.allow_anonymous must be true or false");
  CHECK(problem("", {.sets = {"limits.headers_max=many"}}) ==
        "--set limits.headers_max: limits.headers_max must be an integer");
}

TEST_CASE("an override's text cannot smuggle in other keys") {
  CHECK(problem("", {.sets = {"mqtt.allow_anonymous=true\n[node]\nname = \"x\""}}) ==
        "--set mqtt.allow_anonymous: mqtt.allow_anonymous must be true or false");
}

TEST_SUITE_END();

}  // namespace marram::cli
