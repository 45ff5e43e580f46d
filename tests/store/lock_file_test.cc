#include "core/store/lock_file.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/lock_file");

using namespace std::chrono_literals;
using store::LockFile;

namespace {

// A process that holds the lock until end().
class Owner {
 public:
  explicit Owner(const std::filesystem::path& path) {
    int ready[2];
    int stop[2];
    REQUIRE(::pipe(ready) == 0);
    REQUIRE(::pipe(stop) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(stop[1]);
      hold(path, ready[1], stop[0]);
    }
    stop_ = stop[1];
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    REQUIRE(byte == 'y');
    for (const int fd : {ready[0], ready[1], stop[0]}) ::close(fd);
  }
  ~Owner() {
    end();
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }
  void end() {
    if (stop_ >= 0) ::close(stop_);
    stop_ = -1;
  }
  pid_t pid() const { return pid_; }

 private:
  [[noreturn]] static void hold(const std::filesystem::path& path, int ready, int stop) {
    const auto taken = LockFile::take(path);
    char byte = taken ? 'y' : 'n';
    [[maybe_unused]] auto moved = ::write(ready, &byte, 1);
    moved = ::read(stop, &byte, 1);
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int stop_ = -1;
};

}  // namespace

TEST_CASE("another process is refused in the end, with the owner's process id") {
  TempDir directory;
  const auto path = directory / "lock";
  const Owner owner(path);

  const auto refused = LockFile::take(path, 50ms);

  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Busy);
  CHECK(refused.error().message.find("in use by process " + std::to_string(owner.pid())) !=
        std::string::npos);
}

TEST_CASE("an owner that ends is waited for") {
  TempDir directory;
  const auto path = directory / "lock";
  Owner owner(path);
  Result<LockFile> taken = fail(Errc::Closed, "");
  bool refused_first = false;

  {
    refused_first = !LockFile::take(path, 0ms);
    const std::jthread waits([&] { taken = LockFile::take(path, 1min); });
    owner.end();
  }

  CHECK(refused_first);
  CHECK(taken);
}

TEST_CASE("an owner in the same process is not waited for") {
  TempDir directory;
  const auto path = directory / "lock";
  auto owner = LockFile::take(path);
  REQUIRE(owner);
  const auto begun = std::chrono::steady_clock::now();

  const auto refused = LockFile::take(path, 1min);

  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Busy);
  CHECK(std::chrono::steady_clock::now() - begun < 30s);
  owner = fail(Errc::Closed, "");
  CHECK(LockFile::take(path));
}

}  // namespace marram::test
