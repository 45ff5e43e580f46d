#include "core/node/drop_log.h"

#include <doctest/doctest.h>

#include <vector>

TEST_SUITE_BEGIN("node/drop_log");

using namespace marram;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{100s};

class Lines : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view, LogFields fields) override {
    std::string line;
    for (const auto& [key, value] : fields) line += (line.empty() ? "" : " ") + value;
    all.push_back(line);
  }
  // Those since the last call.
  std::vector<std::string> next() { return std::exchange(all, {}); }
  std::vector<std::string> all;
};

struct Fixture {
  Lines lines;
  DropLog log{lines};
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "the first drop of a stream is told at once, the next in a minute") {
  log.add("ring", "drop_oldest", 13, kStart);
  CHECK(lines.next() == Words{"ring drop_oldest 13"});
  for (int i = 0; i < 100; ++i) log.add("ring", "drop_oldest", 10, kStart + i * 100ms);
  log.run(kStart + 59s);
  CHECK(lines.next().empty());

  REQUIRE(log.wake_at() == kStart + 60s);
  log.run(kStart + 60s);
  CHECK(lines.next() == Words{"ring drop_oldest 1000"});
}

TEST_CASE_FIXTURE(Fixture, "each stream and each reason has a line of its own") {
  log.add("ring", "drop_oldest", 1, kStart);
  log.add("ring", "ttl", 2, kStart + 1s);
  log.add("other", "ttl", 3, kStart + 2s);

  CHECK(lines.next() == Words{"ring drop_oldest 1", "ring ttl 2", "other ttl 3"});
}

TEST_CASE_FIXTURE(Fixture, "after a quiet minute the next drop is told at once again") {
  log.add("ring", "ttl", 1, kStart);
  log.run(kStart + 60s);
  CHECK(!log.wake_at());
  CHECK(lines.next() == Words{"ring ttl 1"});

  log.add("ring", "ttl", 5, kStart + 70s);
  CHECK(lines.next() == Words{"ring ttl 5"});
}

TEST_CASE_FIXTURE(Fixture, "a minute in which more went is followed by another one") {
  log.add("ring", "ttl", 1, kStart);
  log.add("ring", "ttl", 2, kStart + 1s);
  log.run(kStart + 60s);
  log.add("ring", "ttl", 4, kStart + 61s);
  CHECK(lines.next() == Words{"ring ttl 1", "ring ttl 2"});

  log.run(kStart + 120s);
  CHECK(lines.next() == Words{"ring ttl 4"});
}
