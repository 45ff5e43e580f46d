#include "core/base/result.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>

#include "core/base/assert.h"

using namespace marram;

TEST_SUITE_BEGIN("base/result");

TEST_CASE("every code has a name of its own") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::Forked); ++code) {
    names.insert(name(static_cast<Errc>(code)));
  }

  CHECK(names.size() == static_cast<std::size_t>(Errc::Forked) + 1);
  CHECK(name(Errc::Invalid) == "invalid");
  CHECK(name(Errc::TooLarge) == "too_large");
  CHECK(name(Errc::Forked) == "forked");
}

TEST_CASE("a failure carries its code and message") {
  const Result<int> result = fail(Errc::Full, "store: no room");

  REQUIRE(!result);
  CHECK(result.error().code == Errc::Full);
  CHECK(result.error().message == "store: no room");
}

TEST_CASE("a broken invariant stops the process and says what must hold") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 2);
    ::signal(SIGABRT, SIG_DFL);
    MARRAM_ASSERT(1 + 1 == 3, "sums are right");
    ::_exit(0);
  }
  ::close(ends[1]);
  REQUIRE(child > 0);

  std::string said(4096, '\0');
  const auto got = ::read(ends[0], said.data(), said.size());
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  ::close(ends[0]);

  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  REQUIRE(got > 0);
  CHECK(said.find("must hold: sums are right (1 + 1 == 3)") != std::string::npos);
}
