#include "gateway/mqtt/users.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/users");

const std::string& hash() {
  static const std::string made = *hash_password("secret");
  return made;
}

TEST_CASE("a users file gives users, and their filters with names filled in") {
  const auto users = Users::parse(fmt::format("[[user]]\n"
                                              "name = \"pump\"\n"
                                              "password_hash = \"{}\"\n"
                                              "publish = [\"plant/%u/%c/#\", \"100%\"]\n",
                                              hash()),
                                  "users.toml");
  REQUIRE_MESSAGE(users, (users ? std::string() : users.error().message));
  const User* user = users->find("pump");
  REQUIRE(user != nullptr);
  CHECK(users->find("nobody") == nullptr);
  CHECK(verify_password(user->password_hash, "secret"));
  CHECK_FALSE(verify_password(user->password_hash, "Secret"));
  const AccessPtr access = access_of(*user, "pump", "c7");
  CHECK(access->may_publish("plant/pump/c7/temp"));
  CHECK_FALSE(access->may_publish("plant/pump/c8/temp"));
  CHECK(access->may_publish("100%"));
  CHECK_FALSE(access->may_subscribe("plant/pump/c7/temp"));
}

TEST_CASE("an empty users file is nobody") {
  const auto users = Users::parse("", "users.toml");
  REQUIRE(users);
  CHECK(users->size() == 0);
}

TEST_CASE("a broken users file says where and why") {
  struct Case {
    std::string text;
    std::string message;
  };
  const std::string user = "[[user]]\nname = \"a\"\npassword_hash = \"" + hash() + "\"\n";
  const std::vector<Case> cases = {
      {"[[user]\n", "u.toml:1:"},
      {"users = 1\n", "u.toml:1:1: unknown key users"},
      {"user = 1\n", "u.toml:1:8: users are written as [[user]]"},
      {user + "publis = []\n", "u.toml:4:1: unknown key publis"},
      {user + "publish = \"a\"\n", "u.toml:4:11: publish must be a list"},
      {user + "publish = [7]\n", "u.toml:4:12: publish must be text"},
      {user + "publish = [\"a#\"]\n", "u.toml:4:12: filter"},
      {user + user, "u.toml:4:1: user \"a\" is here twice"},
      {"[[user]]\nname = \"a\"\n", "u.toml:1:1: password_hash is missing"},
      {"[[user]]\nname = \"a/b\"\npassword_hash = \"" + hash() + "\"\n", "u.toml:1:1: name"},
      {"[[user]]\npassword_hash = \"plain\"\n", "u.toml:2:17: password_hash must be"},
  };
  for (const Case& wanted : cases) {
    CAPTURE(wanted.text);
    const auto users = Users::parse(wanted.text, "u.toml");
    REQUIRE_FALSE(users);
    CHECK(users.error().code == Errc::Config);
    CHECK_MESSAGE(users.error().message.starts_with(wanted.message), users.error().message);
  }
  const auto missing = Users::load("/nowhere/users.toml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::Config);
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
