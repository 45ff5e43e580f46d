#include "core/node/key_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cctype>

#include "tests/node/temp_folder.h"

TEST_SUITE_BEGIN("node/key_file");

using namespace marram;
using test::TempFolder;

TEST_CASE("a key file is made once, for its user alone, and read again") {
  const TempFolder folder;
  const auto path = folder.path() / "deep" / "node.key";

  const auto made = read_or_make_key_file(path);
  const auto again = read_or_make_key_file(path);

  REQUIRE(made);
  REQUIRE(again);
  CHECK(again->public_key == made->public_key);
  CHECK(again->secret_key == made->secret_key);
  struct stat file{};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  CHECK((file.st_mode & 07777) == 0600);
  CHECK(make_key_file(path).error().code == Errc::Exists);
  CHECK(read_key_file(path)->secret_key == made->secret_key);
}

TEST_CASE("a key file that others may read is refused with what to do") {
  const TempFolder folder;
  const auto path = folder.path() / "node.key";
  REQUIRE(make_key_file(path));
  for (const mode_t mode : {0640, 0604, 0660, 0610}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);

    const auto key = read_or_make_key_file(path);

    REQUIRE_FALSE(key);
    CHECK(key.error().code == Errc::Refused);
    CHECK(key.error().message.find("chmod 600 " + path.string()) != std::string::npos);
  }
}

TEST_CASE("what is no key file is refused, and left as it is") {
  const TempFolder folder;
  const CurveKey one = make_curve_key();
  const CurveKey other = make_curve_key();
  const std::string mixed = "public " + one.public_key + "\nsecret " + other.secret_key + "\n";
  for (const std::string& text : {std::string(), std::string("public x\nsecret y\n"), mixed}) {
    const auto path = folder.write("node.key", text);
    REQUIRE(::chmod(path.c_str(), 0600) == 0);

    const auto key = read_key_file(path);
    REQUIRE_FALSE(key);
    CHECK(key.error().code == Errc::Config);
    CHECK(key.error().message.find("move it away first") != std::string::npos);
    CHECK(read_or_make_key_file(path).error().code == Errc::Config);
    CHECK(folder.read("node.key") == text);
  }
}

TEST_CASE("a key file that is not there is said to be so") {
  const TempFolder folder;

  CHECK(read_key_file(folder.path() / "node.key").error().code == Errc::NotFound);
}

TEST_CASE("a node id is the hash of the public key") {
  // BLAKE2b of 32 zero bytes and of 0, 1, ... 31, 16 bytes long, as `b2sum -l 128` prints it.
  CHECK(node_id_of_key("0000000000000000000000000000000000000000") ==
        "ff0f22492f44bac4c4b30ae58d0e8daa");
  CHECK(node_id_of_key("009c61o!#m2NH?C3>iWS5d]J*6CRx17-skh9337x") ==
        "f39a2cad58411cd49f577e5086b8031f");
  CHECK(node_id_of_key(make_curve_key().public_key).size() == 32);
}

TEST_CASE("no public key looks like an option") {
  for (int i = 0; i < 200; ++i) {
    const char first = make_curve_key().public_key.front();
    CHECK(std::isalpha(static_cast<unsigned char>(first)) != 0);
  }
}

TEST_CASE("what is no public key has no node id") {
  const std::string key = make_curve_key().public_key;

  CHECK(is_curve_key(key));
  for (const std::string& text :
       {std::string(), key.substr(1), key + "0", key.substr(1) + "\"", key.substr(1) + " ",
        key.substr(1) + '\0', std::string(40, '#')}) {
    CHECK_FALSE(is_curve_key(text));
    CHECK(node_id_of_key(text).empty());
  }
}

TEST_SUITE_END();
