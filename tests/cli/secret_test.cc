#include "gateway/cli/secret.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/cli/temp_dir.h"

namespace marram::cli {

TEST_SUITE_BEGIN("cli/secret");

TEST_CASE("a secret is fetched from a file, without the line end at its end") {
  const TempDir dir;
  const std::string file = dir.write("password", "s3cret \n");

  CHECK(fetch_secret({Secret::Kind::File, file, "m.toml:1:1"}).value() == "s3cret ");
  CHECK(fetch_secret({Secret::Kind::Text, "anna", "m.toml:1:1"}).value() == "anna");
}

TEST_CASE("a secret is fetched from the environment and from systemd's credentials") {
  const TempDir dir;
  dir.write("broker", "from-systemd");
  ::setenv("MARRAM_TEST_SECRET", "from-env", 1);
  ::setenv("CREDENTIALS_DIRECTORY", dir.path().c_str(), 1);

  CHECK(fetch_secret({Secret::Kind::Env, "MARRAM_TEST_SECRET", "p"}).value() == "from-env");
  CHECK(fetch_secret({Secret::Kind::Credential, "broker", "p"}).value() == "from-systemd");

  ::unsetenv("MARRAM_TEST_SECRET");
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_CASE("a secret that is not there is named, with the place that asks for it") {
  const auto file = fetch_secret({Secret::Kind::File, "/nonexistent/p", "m.toml:4:12"});
  const auto variable = fetch_secret({Secret::Kind::Env, "MARRAM_NO_SUCH", "m.toml:4:12"});
  const auto credential = fetch_secret({Secret::Kind::Credential, "broker", "m.toml:4:12"});

  REQUIRE_FALSE(file);
  CHECK(file.error().code == Errc::Config);
  CHECK(file.error().message ==
        "m.toml:4:12: secret: cannot open /nonexistent/p: No such file or directory");
  CHECK(variable.error().message ==
        "m.toml:4:12: secret: environment variable MARRAM_NO_SUCH is not set");
  CHECK(credential.error().message.starts_with("m.toml:4:12: secret: there are no credentials"));
}

TEST_SUITE_END();

}  // namespace marram::cli
