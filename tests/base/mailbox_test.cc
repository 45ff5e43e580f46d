#include "core/base/mailbox.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <thread>

using namespace marram;
using namespace std::chrono_literals;

namespace {

bool readable(int fd) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, 0) == 1;
}

std::vector<int> taken(Mailbox<int>& box) {
  std::vector<int> out;
  box.take(out);
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("base/mailbox");

TEST_CASE("a signal is readable until it is cleared") {
  Signal signal;
  CHECK(!signal.wait(0us));

  signal.signal();
  signal.signal();
  CHECK(signal.wait(0us));
  CHECK(signal.wait(std::nullopt));
  CHECK(readable(signal.fd()));

  signal.clear();
  CHECK(!signal.wait(100us));
  CHECK(!readable(signal.fd()));
  CHECK(!signal.wait(-5us));
}

TEST_CASE("what is posted is taken in order and in one go") {
  Mailbox<int> box;
  for (int i = 0; i < 5; ++i) CHECK(box.post(i));

  CHECK(taken(box) == std::vector{0, 1, 2, 3, 4});
  CHECK(taken(box).empty());
}

TEST_CASE("take() replaces what the reader had") {
  Mailbox<int> box;
  std::vector<int> out = {7, 8, 9};

  CHECK(!box.take(out));
  CHECK(out.empty());

  box.post(1);
  out = {7};
  CHECK(box.take(out));
  CHECK(out == std::vector{1});
}

TEST_CASE("only the first post to an idle reader writes the descriptor") {
  Mailbox<int> box;
  std::vector<int> out;
  for (int i = 0; i < 3; ++i) box.post(i);
  box.take(out);
  box.post(3);

  std::uint64_t writes = 0;
  CHECK(::read(box.fd(), &writes, sizeof writes) == sizeof writes);
  CHECK(writes == 1);

  box.take(out);
  box.post(4);
  CHECK(!readable(box.fd()));
}

TEST_CASE("the descriptor is readable while something waits and not after an empty take") {
  Mailbox<int> box;
  CHECK(!box.wait(0us));

  box.post(1);
  CHECK(box.wait(0us));
  CHECK(!taken(box).empty());
  CHECK(taken(box).empty());
  CHECK(!box.wait(0us));

  box.post(2);
  CHECK(box.wait(0us));
}

TEST_CASE("a closed mailbox refuses posts, gives what it had, and stays readable") {
  Mailbox<int> box;
  box.post(1);
  box.close();

  CHECK(box.closed());
  CHECK(!box.post(2));
  CHECK(taken(box) == std::vector{1});
  CHECK(taken(box).empty());
  CHECK(taken(box).empty());
  CHECK(box.wait(std::nullopt));
  box.close();
  CHECK(box.wait(0us));
}

TEST_CASE("a closed mailbox is drained only when all that it had has been taken") {
  Mailbox<int> box;
  CHECK(!box.drained());
  CHECK(taken(box).empty());

  box.post(1);  // between an empty take() and the close
  box.close();
  CHECK(box.closed());
  CHECK(!box.drained());

  CHECK(taken(box) == std::vector{1});
  CHECK(box.drained());
}

TEST_CASE("values that only move pass through") {
  Mailbox<std::unique_ptr<int>> box;
  box.post(std::make_unique<int>(3));

  std::vector<std::unique_ptr<int>> out;
  CHECK(box.take(out));
  CHECK(*out.at(0) == 3);
}

TEST_CASE("nothing is lost or reordered between many posters and a reader that waits") {
  constexpr int kPosters = 4;
  constexpr int kEach = 20'000;
  Mailbox<std::pair<int, int>> box;
  std::vector<std::jthread> posters;
  for (int who = 0; who < kPosters; ++who) {
    posters.emplace_back([&box, who] {
      for (int i = 0; i < kEach; ++i) box.post({who, i});
    });
  }

  std::array<int, kPosters> next{};
  int wrong = 0;
  std::vector<std::pair<int, int>> batch;
  while (std::accumulate(next.begin(), next.end(), 0) < kPosters * kEach) {
    while (box.take(batch)) {
      for (const auto& [who, i] : batch) wrong += next.at(static_cast<std::size_t>(who))++ != i;
    }
    if (std::accumulate(next.begin(), next.end(), 0) < kPosters * kEach) box.wait(std::nullopt);
  }

  CHECK(wrong == 0);
}

TEST_CASE("a post whose signal comes late does not keep the descriptor readable") {
  constexpr int kRounds = 20'000;
  Mailbox<int> box;
  std::atomic<int> wanted = 0;
  std::atomic<int> posted = 0;
  const std::jthread poster([&] {
    for (int i = 1; i <= kRounds; ++i) {
      wanted.wait(i - 1);
      box.post(i);
      posted = i;
      posted.notify_one();
    }
  });

  int stuck = 0;
  std::vector<int> out;
  for (int i = 1; i <= kRounds; ++i) {
    wanted = i;
    wanted.notify_one();
    while (!box.take(out)) std::this_thread::yield();
    box.take(out);
    posted.wait(i - 1);
    box.take(out);
    stuck += box.wait(0us) ? 1 : 0;
  }

  CHECK(stuck == 0);
}

TEST_CASE("a reader that has its last item may destroy the mailbox at once") {
  for (int round = 0; round < 500; ++round) {
    auto box = std::make_unique<Mailbox<int>>();
    const std::jthread poster([raw = box.get()] { raw->post(1); });
    std::vector<int> out;
    while (!box->take(out)) box->wait(std::nullopt);
    box.reset();
    CHECK(out.size() == 1);
  }
}

TEST_CASE("close() wakes a reader that waits") {
  Mailbox<int> box;
  const std::jthread closer([&box] { box.close(); });

  CHECK(box.wait(std::nullopt));
}

TEST_CASE("a handed-over value is there before or after one waits for it") {
  Handoff<std::unique_ptr<int>> before;
  before.set(std::make_unique<int>(1));
  auto value = before.wait_until({});
  REQUIRE(value);
  CHECK(**value == 1);

  Handoff<int> after;
  const std::jthread setter([&after] { after.set(2); });
  CHECK(after.wait_until(std::chrono::steady_clock::now() + 60s) == 2);
}

TEST_CASE("waiting for a value that nobody sets ends at the deadline") {
  Handoff<int> never;

  CHECK(!never.wait_until(std::chrono::steady_clock::now() + 1ms));
  CHECK(!never.wait_until({}));
}

TEST_CASE("a guarded value is changed by one thread at a time") {
  Guarded<int> count;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&count] {
        for (int j = 0; j < 1000; ++j) count.with([](int& value) { ++value; });
      });
    }
  }

  CHECK(count.with([](const int& value) { return value; }) == 4000);
}
