#include <doctest/doctest.h>

#include "tests/cli/program.h"

namespace marram::cli {

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("cli/usage");

TEST_CASE("a mistyped command is refused with the one that was meant") {
  const Ran ran = marram({"statsu"});

  CHECK(ran.code == 64);
  CHECK(ran.err == "marram: unknown command \"statsu\" (did you mean \"status\"?)\n");
  CHECK(ran.out.empty());
}

TEST_CASE("usage errors end with 64 on stderr, help with 0 on stdout") {
  CHECK(marram({}).code == 64);
  CHECK(marram({"pub"}).code == 64);
  CHECK(marram({"status", "--colour"}).code == 64);
  CHECK(marram({"status", "--colour"}).out.empty());
  const Ran help = marram({"--help"});
  CHECK(help.code == 0);
  CHECK(has(help.out, "drill"));
  CHECK_FALSE(has(help.out, "connector"));
  CHECK(marram({"sub", "--help"}).code == 0);
}

TEST_CASE("the version is printed as text and as JSON") {
  CHECK(marram({"version"}).out.starts_with("marram 0."));
  CHECK(marram({"version", "--json"}).out.starts_with("{\"version\":\"0."));
  CHECK(marram({"--version"}).code == 0);
}

TEST_CASE("config check says what is wrong, or that all is good") {
  const TempDir dir;
  const std::string good = dir.write("good.toml", "[node]\nname = \"a\"\n");
  const std::string bad = dir.write("bad.toml", "[node]\nnam = \"a\"\n");

  const Ran ok = marram({"config", "check", "-c", good});
  const Ran wrong = marram({"config", "check", "-c", bad});

  CHECK(ok.code == 0);
  CHECK(ok.out == good + " is good\n");
  CHECK(wrong.code == 78);
  CHECK(wrong.err == bad + ":2:1: unknown key \"nam\" in [node] (did you mean \"name\"?)\n" + bad +
                         ": 1 problem\n");
  CHECK(marram({"config", "check", "-c", dir / "none.toml"}).code == 78);
}

TEST_CASE("config check --secrets fetches what routes name") {
  const TempDir dir;
  const std::string file =
      dir.write("m.toml",
                "[[route]]\nname = \"r\"\nfrom = [\"a\"]\nto = \"mqtts://b\"\nuser = \"u\"\n"
                "password = { file = \"p\" }\n");

  CHECK(marram({"config", "check", "-c", file}).code == 0);
  const Ran missing = marram({"config", "check", "-c", file, "--secrets"});
  CHECK(missing.code == 78);
  CHECK(has(missing.err, file + ":6:12: secret: cannot open " + (dir / "p")));
  dir.write("p", "hunter2\n");
  CHECK(marram({"config", "check", "-c", file, "--secrets"}).code == 0);
  CHECK_FALSE(has(marram({"config", "show", "-c", file}).out, "hunter2"));
}

TEST_CASE("config show takes the environment and --set into account") {
  ::setenv("MARRAM_NODE__NAME", "from-env", 1);
  const Ran ran = marram({"config", "show", "--set", "log.level=warn"});
  ::unsetenv("MARRAM_NODE__NAME");

  CHECK(ran.code == 0);
  CHECK(has(ran.out, "name = \"from-env\""));
  CHECK(has(ran.out, "# environment MARRAM_NODE__NAME"));
  CHECK(has(ran.out, "# --set log.level"));
}

TEST_CASE("mqtt hash makes a password_hash of standard input") {
  const Ran ran = marram({"mqtt", "hash"}, "secret\n");

  CHECK(ran.code == 0);
  CHECK(ran.out.starts_with("$argon2id$"));
  CHECK(marram({"mqtt", "hash"}, "\n").code == 64);
}

TEST_SUITE_END();

}  // namespace marram::cli
