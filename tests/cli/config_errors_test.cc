#include <doctest/doctest.h>

#include "tests/cli/load.h"

namespace marram::cli {

TEST_SUITE_BEGIN("cli/config_errors");

TEST_CASE("a mistyped key is refused with its place and the key that was meant") {
  CHECK(problem("[node]\nname = \"a\"\n  data_dri = \"x\"\n") ==
        "m.toml:3:3: unknown key \"data_dri\" in [node] (did you mean \"data_dir\"?)");
  CHECK(problem("[store]\nreserve_fre = \"5%\"\n") ==
        "m.toml:2:1: unknown key \"reserve_fre\" in [store] (did you mean \"reserve_free\"?)");
}

TEST_CASE("a key that is like no other is refused with the keys there are") {
  CHECK(problem("[node]\ncolour = \"red\"\n") ==
        "m.toml:2:1: unknown key \"colour\" in [node] (known: name, data_dir)");
}

TEST_CASE("a mistyped section is refused with the section that was meant") {
  CHECK(problem("[mqqt]\nlisten = []\n") ==
        "m.toml:1:2: unknown section \"mqqt\" (did you mean \"mqtt\"?)");
  CHECK(problem("[[streams]]\nname = \"a\"\n") ==
        "m.toml:1:3: unknown section \"streams\" (did you mean \"stream\"?)");
}

TEST_CASE("a mistyped key inside an inline table is refused where it stands") {
  CHECK(problem("[[stream]]\nname = \"a\"\ntopics = [\"a/#\"]\nretain = { agee = \"7d\" }\n") ==
        "m.toml:4:12: unknown key \"retain.agee\" in [[stream]] (did you mean \"retain.age\"?)");
  CHECK(problem("[mqtt]\ntls.key_fil = \"k.pem\"\n") ==
        "m.toml:2:5: unknown key \"tls.key_fil\" in [mqtt] (did you mean \"tls.key_file\"?)");
}

TEST_CASE("a value of the wrong type is refused with what it must be and what it is") {
  CHECK(problem("[node]\nname = 5\n") ==
        "m.toml:2:8: node.name must be text in quotes, not an integer");
  CHECK(problem("[mqtt]\nallow_anonymous = \"yes\"\n") ==
        "m.toml:2:19: mqtt.allow_anonymous must be true or false, not text");
  CHECK(problem("[limits]\nheaders_max = 1.5\n") ==
        "m.toml:2:15: limits.headers_max must be an integer, not a number with a fraction");
  CHECK(problem("[mqtt]\nlisten = 1883\n") ==
        "m.toml:2:10: mqtt.listen must be a list of text, not an integer");
  CHECK(problem("[mqtt]\nlisten = [\"mqtt://127.0.0.1:0\", 1883]\n") ==
        "m.toml:2:10: mqtt.listen must be a list of text, but its item 2 is an integer");
  CHECK(problem("[store]\nmax_bytes = 1979-05-27\n") ==
        "m.toml:2:13: store.max_bytes must be a size such as \"256MiB\", not a date or time");
}

TEST_CASE("a section of the wrong shape is refused") {
  CHECK(problem("node = \"gw\"\n") == "m.toml:1:8: node must be a table, not text");
  CHECK(problem("[stream]\nname = \"a\"\n") ==
        "m.toml:1:1: stream must be [[stream]], once for each, not a table");
  CHECK(problem("stream = [1]\n") == "m.toml:1:11: stream must be a table, not an integer");
}

TEST_CASE("a word that is none of the choices is refused with the nearest") {
  CHECK(problem("[store]\ndurability = \"fsnyc\"\n") ==
        "m.toml:2:14: store.durability must be one of \"fsync\", \"os\", \"memory\", not \"fsnyc\" "
        "(did you mean \"fsync\"?)");
  CHECK(problem("[log]\nlevel = \"loud\"\n") ==
        "m.toml:2:9: log.level must be one of \"debug\", \"info\", \"warn\", \"error\", not "
        "\"loud\"");
}

TEST_CASE("sizes, shares and durations that cannot be read are refused with an example") {
  CHECK(
      problem("[store]\nmax_bytes = \"1 gig\"\n") ==
      "m.toml:2:13: store.max_bytes cannot read \"1 gig\" (write a number and one of B, KiB, MiB, "
      "GiB, TiB, such as 256MiB)");
  CHECK(problem("[store]\nreserve_free = \"five\"\n") ==
        "m.toml:2:16: store.reserve_free cannot read \"five\" (write a percentage from 0% to 100%, "
        "such as 5%)");
  CHECK(problem("[mqtt]\nlimits.connect_within = \"soon\"\n")
            .starts_with("m.toml:2:25: mqtt.limits.connect_within cannot read \"soon\" (write"));
  CHECK(problem("[mqtt]\nlimits.connect_within = \"1ms\"\n") ==
        "m.toml:2:25: mqtt.limits.connect_within must be whole seconds, such as \"30s\"");
}

TEST_CASE("numbers out of range are refused with the range") {
  CHECK(problem("[mqtt]\nlimits.receive_maximum = 70000\n") ==
        "m.toml:2:26: mqtt.limits.receive_maximum must be from 1 to 65535, not 70000");
  CHECK(problem("[limits]\nclients_max = -1\n") ==
        "m.toml:2:15: limits.clients_max must be from 1 to 10000000, not -1");
  CHECK(problem("[store]\nmax_bytes = 10\n") ==
        "m.toml:2:13: store.max_bytes must be 1048576 bytes or more");
}

TEST_CASE("text that is no TOML is refused at line and column") {
  CHECK(problem("[node]\nname = \n").starts_with("m.toml:2:8: "));
  CHECK(problem("[node]\nname = \"a\"\nname = \"b\"\n").starts_with("m.toml:3:"));
}

TEST_CASE("a file that is not there is one problem") {
  const LoadedConfig loaded = load_config({.file = "/nonexistent/m.toml"});

  REQUIRE(loaded.report.problems.size() == 1);
  CHECK(loaded.report.problems[0] ==
        "config: cannot open /nonexistent/m.toml: No such file or directory");
}

TEST_CASE("all problems are said at once, in the order of the sections") {
  const auto all = problems(
      "[node]\nnmae = \"a\"\n[store]\ndurability = \"never\"\n[log]\nlevel = 3\n[[route]]\n");

  REQUIRE(all.size() == 6);
  CHECK(all[0] == "m.toml:2:1: unknown key \"nmae\" in [node] (did you mean \"name\"?)");
  CHECK(all[1].starts_with("m.toml:4:14: store.durability "));
  CHECK(all[2] == "m.toml:7:1: [[route]] needs \"name\"");
  CHECK(all[3] == "m.toml:7:1: [[route]] needs \"from\"");
  CHECK(all[4] == "m.toml:7:1: [[route]] needs \"to\"");
  CHECK(all[5].starts_with("m.toml:6:9: log.level "));
}

TEST_CASE("what comes in a later release is refused as such, not as unknown") {
  CHECK(problem("[http]\nlisten = \"127.0.0.1:7480\"\n") ==
        "m.toml:1:2: [http] is not in this release (take it out)");
  CHECK(problem("[mqtt]\nlisten = [\"ws://127.0.0.1:80\"]\n") ==
        "m.toml:2:10: mqtt.listen has ws:// (not in this release)");
}

TEST_CASE("endpoints of unknown kinds are refused") {
  CHECK(problem("[mqtt]\nlisten = [\"http://127.0.0.1:80\"]\n") ==
        "m.toml:2:10: mqtt.listen must be mqtt://ADDRESS:PORT or mqtts://ADDRESS:PORT, not "
        "\"http://127.0.0.1:80\"");
  CHECK(problem("[client]\nlisten = [\"inproc://x\"]\n") ==
        "m.toml:2:10: client.listen must be ipc://PATH or tcp://127.0.0.1:PORT, not "
        "\"inproc://x\"");
}

TEST_CASE("a data folder whose socket path would be too long is refused with the way out") {
  const std::string dir(120, 'd');

  CHECK(problem("[node]\ndata_dir = \"" + dir + "\"\n")
            .ends_with("client.listen has a socket path of 132 bytes, over 107 (set a shorter one: "
                       "client.listen = \"ipc:///run/marram.sock\")"));
}

TEST_CASE("node and stream names, filters and doubles are checked") {
  CHECK(problem("[node]\nname = \"a/b\"\n")
            .starts_with("m.toml:2:8: node.name: the name \"a/b\" has a '/'"));
  CHECK(problem("[node]\ndata_dir = \"\"\n") == "m.toml:2:12: node.data_dir must not be empty");
  CHECK(problem("[[stream]]\nname = \"a\"\ntopics = [\"a/#/b\"]\n")
            .starts_with("m.toml:3:10: stream: \"a\": filter: \"a/#/b\""));
  CHECK(
      problem("[[stream]]\nname = \"a\"\n").starts_with("m.toml:1:1: stream: \"a\" has no topics"));
  CHECK(problem("[[stream]]\nname = \"a\"\ntopics = \"a\"\n[[stream]]\nname = \"a\"\ntopics = "
                "\"b\"\n") == "m.toml:6:10: stream: \"a\" is there twice");
}

TEST_SUITE_END();

}  // namespace marram::cli
