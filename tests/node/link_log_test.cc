#include "core/node/link_log.h"

#include <doctest/doctest.h>

#include <vector>

TEST_SUITE_BEGIN("node/link_log");

using namespace marram;
using namespace std::chrono_literals;
using What = mesh::Report::What;

namespace {

constexpr TimePoint kStart{100s};

class Lines : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view message, LogFields fields) override {
    all.emplace_back(message);
    for (const auto& [key, value] : fields) all.back() += " " + std::string(key) + "=" + value;
  }
  // Those since the last call.
  std::vector<std::string> next() { return std::exchange(all, {}); }
  std::vector<std::string> all;
};

struct Fixture {
  Lines lines;
  LinkLog log{lines};
};

const mesh::Report kUp{What::PeerUp, "b", "tcp://b:1"};
const mesh::Report kDown{What::PeerDown, "b", "gone"};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a link that comes and goes now and then is in the log at once") {
  log.write(kUp, kStart);
  log.write(kDown, kStart + 1h);
  log.write(kUp, kStart + 1h + 1s);

  CHECK(lines.next() == std::vector<std::string>{"link up peer=b address=tcp://b:1",
                                                 "link down peer=b why=gone",
                                                 "link up peer=b address=tcp://b:1"});
  CHECK(!log.wake_at());
}

TEST_CASE_FIXTURE(Fixture, "one that does so all the time has a line each 10 s, the last true") {
  TimePoint now = kStart;
  for (int i = 0; i < 1000; ++i) {
    log.write(kUp, now += 50ms);
    log.write(kDown, now += 50ms);
    log.run(now);
  }

  CHECK(lines.next().size() == 4 + 9);
  log.write(kUp, now += 50ms);
  log.write({What::PeerUp, "c", "tcp://c:1"}, now);
  CHECK(lines.next() == std::vector<std::string>{"link up peer=c address=tcp://c:1"});
  REQUIRE(log.wake_at());
  CHECK(*log.wake_at() <= now + 10s);
  log.run(*log.wake_at());

  const auto last = lines.next();
  REQUIRE(last.size() == 1);
  CHECK(last[0].starts_with("link up peer=b address=tcp://b:1 changes_not_logged="));
  CHECK(!log.wake_at());
}

TEST_CASE_FIXTURE(Fixture, "who is refused again and again has a line a minute, whatever it says") {
  for (int i = 0; i < 600; ++i) {
    const std::string message = "no: " + std::to_string(i);
    log.write({What::Refused, "b", message}, kStart + i * 100ms);
  }
  log.write({What::Refused, "b", "no"}, kStart + 1min);

  CHECK(lines.next() == std::vector<std::string>{"no: 0 peer=b", "no peer=b not_logged=599"});
}

TEST_CASE_FIXTURE(Fixture, "different losses of one peer are told, each once") {
  for (const char* what : {"1..2 is lost", "5..7 is lost", "1..2 is lost"}) {
    log.write({What::Lost, "b", what}, kStart);
  }

  CHECK(lines.next().size() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "an address that is dialled in vain has a line an hour, for each cause") {
  const Error nobody{Errc::Unreachable, "mesh: cannot reach tcp://b:1: nobody answers"};
  const Error unknown{Errc::Unreachable, "mesh: cannot reach tcp://b:1: name not known"};
  for (int i = 0; i < 120; ++i) log.write_unreached(nobody, kStart + i * 30s);
  log.write_unreached(unknown, kStart + 59min);
  log.write_unreached(nobody, kStart + 1h);

  CHECK(lines.next() == std::vector<std::string>{nobody.message, unknown.message,
                                                 nobody.message + " not_logged=119"});
}

TEST_CASE_FIXTURE(Fixture, "neither addresses dialled in vain nor beacons silence a loss") {
  for (int i = 0; i < 2000; ++i) {
    const std::string n = std::to_string(i);
    log.write_unreached({Errc::Unreachable, "mesh: cannot reach tcp://b:" + n}, kStart);
    log.write({What::Found, "x" + n, "tcp://10.0.0.2:1"}, kStart);
  }
  (void)lines.next();
  log.write({What::Lost, "b", "1..2 is lost"}, kStart);

  CHECK(lines.next() == std::vector<std::string>{"1..2 is lost peer=b"});
}

TEST_CASE_FIXTURE(Fixture, "who is found at ever other addresses has a line a minute") {
  for (int port = 0; port < 100; ++port) {
    log.write({What::Found, "b", "tcp://10.0.0.2:" + std::to_string(port)}, kStart);
  }

  CHECK(lines.next() ==
        std::vector<std::string>{"found by the beacon peer=b address=tcp://10.0.0.2:0"});
}

TEST_CASE_FIXTURE(Fixture, "what is much too long is cut") {
  log.write({What::Refused, "b", std::string(4000, 'x')}, kStart);

  CHECK(lines.next()[0].size() < 1100);
}

TEST_SUITE_END();
