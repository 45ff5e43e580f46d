#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/node/key_file.h"
#include "tests/cli/program.h"

namespace marram::cli {

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A command about the node whose data is in `dir`.
Ran about(const TempDir& dir, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--set", "node.data_dir=" + (dir / "data")});
  return marram(arguments);
}

}  // namespace

TEST_SUITE_BEGIN("cli/key_peer");

TEST_CASE("a key is made once, shown without its secret, and never written over") {
  const TempDir dir;
  CHECK(about(dir, {"key", "show"}).code == 1);

  const Ran made = about(dir, {"key", "new"});
  CHECK_MESSAGE(made.code == 0, made.err);
  const Ran shown = about(dir, {"key", "show"});
  const Ran json = about(dir, {"key", "show", "--json"});
  const Ran again = about(dir, {"key", "new"});

  CHECK(is_curve_key(made.out.substr(0, 40)));
  CHECK(shown.out == made.out);
  const auto key = nlohmann::json::parse(json.out);
  CHECK(key["public_key"].get<std::string>() + "\n" == made.out);
  CHECK(key["node_id"] == node_id_of_key(key["public_key"]));
  CHECK(key.size() == 2);
  CHECK(again.code == 1);
  CHECK(about(dir, {"key", "show"}).out == made.out);
}

TEST_CASE("a key file that others may read ends with 77 and says what to do") {
  const TempDir dir;
  REQUIRE(about(dir, {"key", "new"}).code == 0);
  std::filesystem::permissions(dir / "data/node.key", std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);

  const Ran shown = about(dir, {"key", "show"});

  CHECK(shown.code == 77);
  CHECK_MESSAGE(has(shown.err, "chmod 600"), shown.err);
}

TEST_CASE("peers are trusted, listed and revoked without a running node") {
  const TempDir dir;
  const std::string key = make_curve_key().public_key;

  const Ran trusted = about(dir, {"peer", "trust", key, "--name", "hub"});
  CHECK_MESSAGE(trusted.code == 0, trusted.err);
  const Ran listed = about(dir, {"peer", "ls", "--json"});
  CHECK_MESSAGE(listed.code == 0, listed.err);
  const auto all = nlohmann::json::parse(listed.out);
  REQUIRE(all.size() == 1);
  CHECK(all[0]["name"] == "hub");
  CHECK(all[0]["key"] == key);
  CHECK(all[0]["node_id"] == node_id_of_key(key));
  CHECK(all[0]["connected"] == false);
  CHECK(all[0]["heard"] == false);

  CHECK(about(dir, {"peer", "revoke", "hub"}).code == 0);
  CHECK(nlohmann::json::parse(about(dir, {"peer", "ls", "--json"}).out).empty());
  CHECK(about(dir, {"peer", "revoke", "hub"}).code == 1);
}

TEST_CASE("what is no key is not trusted") {
  const TempDir dir;

  CHECK(about(dir, {"peer", "trust", "short"}).code == 64);
  CHECK(about(dir, {"peer", "trust", make_curve_key().public_key, "--name", "../x"}).code == 64);
}

TEST_CASE("a file without a key is told of, and stands in nobody's way") {
  const TempDir dir;
  REQUIRE(about(dir, {"peer", "trust", make_curve_key().public_key, "--name", "hub"}).code == 0);
  std::ofstream(dir / "data/trusted/junk.pub") << "junk\n";

  const Ran listed = about(dir, {"peer", "ls", "--json"});
  const Ran trusted = about(dir, {"peer", "trust", make_curve_key().public_key, "--name", "gw"});
  const Ran revoked = about(dir, {"peer", "revoke", "hub"});
  const Ran removed = about(dir, {"peer", "revoke", "junk"});

  CHECK(listed.code == 0);
  CHECK(nlohmann::json::parse(listed.out).size() == 1);
  CHECK_MESSAGE(has(listed.err, "junk.pub has no public key"), listed.err);
  CHECK_MESSAGE(has(listed.err, "mend it, or move it away"), listed.err);
  CHECK(trusted.code == 0);
  CHECK_MESSAGE(has(trusted.err, "junk.pub"), trusted.err);
  CHECK_MESSAGE(revoked.code == 0, revoked.err);
  CHECK_MESSAGE(removed.code == 0, removed.err);
  CHECK_FALSE(has(about(dir, {"peer", "ls"}).err, "junk.pub"));
}

TEST_CASE("a peer with two names is trusted until both are revoked, which is said") {
  const TempDir dir;
  const std::string key = make_curve_key().public_key;
  REQUIRE(about(dir, {"peer", "trust", key, "--name", "hub"}).code == 0);

  const Ran again = about(dir, {"peer", "trust", key});
  const Ran other = about(dir, {"peer", "trust", key, "--name", "old"});
  CHECK(again.code == 0);
  CHECK_MESSAGE(has(again.out, "trusted already, as hub"), again.out);
  CHECK(other.code == 0);
  CHECK_MESSAGE(has(other.out, "trusted as hub too"), other.out);

  const Ran first = about(dir, {"peer", "revoke", "old"});
  CHECK(first.code == 1);
  CHECK_MESSAGE(has(first.err, "still trusted as hub"), first.err);
  CHECK(about(dir, {"peer", "trust", key, "--name", "old"}).code == 0);
  CHECK(about(dir, {"peer", "revoke", node_id_of_key(key)}).code == 0);
  CHECK(nlohmann::json::parse(about(dir, {"peer", "ls", "--json"}).out).empty());
}

TEST_CASE("a node is not told to trust itself") {
  const TempDir dir;
  const std::string own = about(dir, {"key", "new"}).out.substr(0, 40);

  const Ran ran = about(dir, {"peer", "trust", own});

  CHECK(ran.code == 64);
  CHECK_MESSAGE(has(ran.err, "own key"), ran.err);
}

TEST_CASE("a key that the configuration trusts is not revoked behind its back") {
  const TempDir dir;
  const std::string key = make_curve_key().public_key;

  const Ran ran = about(dir, {"peer", "revoke", key, "--set", "mesh.trust=[\"" + key + "\"]"});

  CHECK(ran.code == 77);
  CHECK_MESSAGE(has(ran.err, "mesh.trust"), ran.err);
}

TEST_CASE("of a key that the configuration trusts too it is said where it is to go") {
  const TempDir dir;
  const std::string key = make_curve_key().public_key;
  const std::string trust = "mesh.trust=[\"" + key + "\"]";
  REQUIRE(about(dir, {"peer", "trust", key, "--name", "hub"}).code == 0);
  REQUIRE(about(dir, {"peer", "trust", key, "--name", "old"}).code == 0);

  const Ran first = about(dir, {"peer", "revoke", "hub", "--set", trust});
  const Ran second = about(dir, {"peer", "revoke", "old", "--set", trust});

  CHECK(first.code == 1);
  CHECK_MESSAGE(has(first.err, "still trusted as old, and by mesh.trust of the configuration"),
                first.err);
  CHECK(second.code == 1);
  CHECK_MESSAGE(has(second.err, "still trusted by mesh.trust of the configuration"), second.err);
  CHECK_MESSAGE(has(second.err, "take it out there"), second.err);
  CHECK_FALSE(has(first.err + second.err, "removes every name"));
}

TEST_CASE("who is not found by name may be one that the configuration trusts, which is said") {
  const TempDir dir;
  const std::string trust = "mesh.trust=[\"" + make_curve_key().public_key + "\"]";

  const Ran ran = about(dir, {"peer", "revoke", "hub", "--set", trust});
  const Ran without = about(dir, {"peer", "revoke", "hub"});

  CHECK(ran.code == 1);
  CHECK_MESSAGE(has(ran.err, "mesh.trust"), ran.err);
  CHECK(without.code == 1);
  CHECK_FALSE(has(without.err, "mesh.trust"));
}

TEST_CASE("links beyond loopback without keys do not start: 78, naming the setting") {
  const TempDir dir;

  const Ran ran =
      about(dir, {"run", "--set", "mesh.listen=tcp://0.0.0.0:0", "--set", "mesh.key_file="});

  CHECK(ran.code == 78);
  CHECK_MESSAGE(has(ran.err, "mesh.key_file"), ran.err);
}

TEST_SUITE_END();

}  // namespace marram::cli
