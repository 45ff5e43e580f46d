#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/mqtt/listener_fixture.h"

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/listener idle");

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_CASE("2,000 idle connections are cheap, and nobody waits for them") {
  constexpr std::size_t kCount = 2000;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  REQUIRE(files.rlim_cur > 2 * kCount + 100);
  ListenerFixture fixture;
  std::vector<std::unique_ptr<RawClient>> clients;
  const std::size_t before = resident_bytes();

  for (std::size_t i = 0; i < kCount; ++i) {
    clients.push_back(std::make_unique<RawClient>(fixture.at, Version::V311));
    REQUIRE(clients.back()->connect("client-" + std::to_string(i)) == "connack 0");
  }

  const std::size_t each = (resident_bytes() - before) / kCount;
  MESSAGE("resident bytes for each idle connection, with the test's own side: " << each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(each < 4096);
#endif
  RawClient busy(fixture.at);
  busy.connect("busy");
  busy.publish("a", "x", 1);
  CHECK(busy.next() == "puback id1");
  clients[kCount / 2]->publish("a", "x", 1);
  CHECK(clients[kCount / 2]->next() == "puback id1");
}

TEST_CASE("on an idle listener a packet counts from when it came") {
  ListenerFixture fixture;
  RawClient client(fixture.at);
  REQUIRE(client.connect({.keep_alive = 1, .client_id = "quiet"}) == "connack 0");
  ::poll(nullptr, 0, 1100);
  const WallTime before = Clock::system().wall();

  client.publish("a", "x", 1);

  CHECK(client.next() == "puback id1");
  REQUIRE(fixture.bus.events().size() == 1);
  CHECK(fixture.bus.events().front().time >= before);
  CHECK(client.next(std::chrono::milliseconds(1100)) == "nothing");
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
