#include <doctest/doctest.h>

#include "tests/cli/load.h"

namespace marram::cli {

TEST_SUITE_BEGIN("cli/config_routes");

namespace {

std::string route(const std::string& more) {
  return "[[route]]\nname = \"cloud\"\nfrom = [\"plant/#\"]\nto = \"mqtts://b.example\"\n" + more;
}

}  // namespace

TEST_CASE("a route is read with all its keys") {
  const LoadedConfig loaded = load(route(R"(topic = "acme/{node}/{topic}"
direction = "in"
user = "anna"
password = { env = "P" }
tls = { ca_file = "/ca.pem", certificate_file = "/c.pem", key_file = "/k.pem" }
protocol = "3.1.1"
client_id = "gw-3"
in_flight = 20
keep_alive = "15s"
on_poison = "skip"
)"));

  REQUIRE(problem(route("")) == "");
  REQUIRE(loaded.config.routes.size() == 1);
  const RouteConfig& read = loaded.config.routes[0];
  CHECK(read.place.ends_with("m.toml:1:1"));
  CHECK(read.options.name == "cloud");
  CHECK(read.options.from == std::vector<std::string>{"plant/#"});
  CHECK(read.options.to == "mqtts://b.example");
  CHECK(read.options.topic == "acme/{node}/{topic}");
  CHECK(read.options.direction == RouteDirection::In);
  CHECK(read.options.protocol == MqttVersion::V311);
  CHECK(read.options.client_id == "gw-3");
  CHECK(read.options.in_flight == 20);
  CHECK(read.options.keep_alive == std::chrono::seconds(15));
  CHECK(read.options.on_poison == OnPoison::Skip);
  CHECK(read.options.tls.ca_file == "/ca.pem");
  REQUIRE(read.user.has_value());
  CHECK(read.user->kind == Secret::Kind::Text);
  REQUIRE(read.password.has_value());
  CHECK(read.password->kind == Secret::Kind::Env);
  CHECK(read.options.password.empty());
}

TEST_CASE("a password in the file itself is refused, and never repeated") {
  const std::string said = problem(route("password = \"hunter2\"\n"));
  const std::string set = problem(route(""), {.sets = {"route.cloud.password=hunter2"}});

  CHECK(said ==
        "m.toml:5:12: route.password must say where the secret is kept: { file = \"PATH\" }, "
        "{ env = \"VARIABLE\" } or { credential = \"NAME\" }");
  CHECK(set.starts_with("--set route.cloud.password: route.password must say where"));
  CHECK(set.find("hunter2") == std::string::npos);
}

TEST_CASE("a mistyped kind of secret is refused with the one that was meant") {
  CHECK(problem(route("password = { flie = \"p\" }\n")) ==
        "m.toml:5:12: route.password has an unknown key \"flie\" (did you mean \"file\"?)");
  CHECK(problem(route("password = { credential = \"../p\" }\n")) ==
        "m.toml:5:12: route.password names a credential: a name without '/'");
}

TEST_CASE("config show has where a secret is kept, not what it is") {
  const TempDir dir;
  const std::string file = dir.write("p", "hunter2");
  const std::string text = route("password = { file = \"" + file + "\" }\n");

  const std::string shown = config_text(load(text).report);

  CHECK(shown.find("password = { file = \"" + file + "\" }") != std::string::npos);
  CHECK(shown.find("hunter2") == std::string::npos);
  CHECK(with_secrets(load(text).config.routes.at(0)).value().password == "hunter2");
}

TEST_CASE("a route that no connector of this release serves is refused at its key") {
  const std::string kafka =
      problem("[[route]]\nname = \"a\"\nfrom = [\"a\"]\nto = \"kafka://b:9092\"\n");

  CHECK(kafka.starts_with("m.toml:4:6: to: "));
  CHECK(problem(route("dead_letter = true\n")) ==
        "m.toml:5:1: route.dead_letter is not in this release (take it out)");
  CHECK(problem(route(route(""))).starts_with("m.toml:6:8: "));
}

TEST_SUITE_END();

}  // namespace marram::cli
