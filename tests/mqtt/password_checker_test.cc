#include "gateway/mqtt/password_checker.h"

#include <doctest/doctest.h>

#include <atomic>

#include "core/base/mailbox.h"

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/password_checker");

TEST_CASE("clients that ask and go cannot make it keep more than it can answer in time") {
  const Users nobody = *Users::parse("", "users.toml");
  Handoff<bool> begun;
  Handoff<bool> released;
  std::atomic<bool> waited = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  PasswordChecker checker(nobody, [&](const PasswordChecker::Answer&) {
    if (waited.exchange(true)) return;
    begun.set(true);
    released.wait_until(deadline);
  });
  REQUIRE(checker.ask({}, "c", "u", "wrong"));
  REQUIRE(begun.wait_until(deadline));  // it stands still now

  std::size_t taken = 0;
  while (taken < 10'000 && checker.ask({}, "c", "u", "wrong")) ++taken;
  const bool large = checker.ask({}, "c", "u", std::string(64 << 10, 'x'));
  released.set(true);

  CHECK(taken == 2000);
  CHECK_FALSE(large);
}

TEST_CASE("few but long passwords are bounded by their bytes") {
  const Users nobody = *Users::parse("", "users.toml");
  PasswordChecker checker(nobody, [](const PasswordChecker::Answer&) {});

  std::size_t taken = 0;
  while (taken < 2000 && checker.ask({}, "c", "u", std::string(1 << 20, 'x'))) ++taken;

  CHECK(taken >= 7);
  CHECK(taken < 100);
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
