#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>

#include "tests/client/running_node.h"

TEST_SUITE_BEGIN("client/signal");

using namespace marram;

namespace {

// Every thread of this process, by its number in the system.
std::vector<pid_t> threads() {
  std::vector<pid_t> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    all.push_back(std::stoi(entry.path().filename().string()));
  }
  return all;
}

}  // namespace

TEST_CASE("a signal that the program handles disturbs no thread of node and client") {
  struct sigaction handler{};
  handler.sa_handler = [](int) {};
  // It stays: a thread that does not run now gets its signal after this test.
  REQUIRE(::sigaction(SIGUSR1, &handler, nullptr) == 0);
  test::RunningNode running;
  auto client = running.client();

  for (int round = 0; round < 20; ++round) {
    for (const pid_t thread : threads()) ::tgkill(::getpid(), thread, SIGUSR1);
    CHECK(client->publish({.topic = "a", .payload = "x"}));
  }
}

TEST_SUITE_END();
