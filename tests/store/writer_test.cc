#include <doctest/doctest.h>

#include <thread>

#include "tests/store/store_fixture.h"

namespace marram::test {

TEST_SUITE_BEGIN("store/writer");

namespace {

std::unique_ptr<EventBatch> batch_of(std::size_t count, std::size_t payload_bytes) {
  UuidMaker ids;
  auto batch = std::make_unique<EventBatch>();
  const Event event{.topic = "a", .payload = std::string(payload_bytes, 'x')};
  for (std::size_t i = 0; i < count; ++i) batch->add(event, "", WallTime(Duration(1)), ids);
  return batch;
}

std::vector<Published> take(Inbox& inbox, std::size_t count) {
  std::vector<Published> answers;
  std::vector<Notice> notices;
  while (answers.size() < count) {
    while (inbox.take(notices)) {
      for (Notice& notice : notices) answers.push_back(std::move(std::get<Published>(notice)));
    }
    if (answers.size() < count && !inbox.wait(std::chrono::seconds(30))) break;
  }
  return answers;
}

// Keeps the writer at its first commit until it is let go.
class HoldingListener : public RecordingListener {
 public:
  void on_committed(EventBatchPtr batch) override {
    RecordingListener::on_committed(std::move(batch));
    if (std::exchange(first_, false)) {
      reached.set(true);
      go.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(30));
    }
  }

  Handoff<bool> reached;
  Handoff<bool> go;

 private:
  bool first_ = true;
};

}  // namespace

TEST_CASE("what queues up behind a commit is committed in one transaction, answered in order") {
  TempDir directory;
  HoldingListener listener;
  auto store = std::move(*Store::open(options_in(directory), listener, Log::none()));
  auto inbox = std::make_shared<Inbox>();
  REQUIRE(store->submit(batch_of(1, 10), inbox, 0));
  REQUIRE(listener.reached.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(30)));

  for (std::uint64_t token = 1; token <= 500; ++token) {
    REQUIRE(store->submit(batch_of(2, 10), inbox, token));
  }
  listener.go.set(true);

  const auto answers = take(*inbox, 501);
  REQUIRE(answers.size() == 501);
  std::uint64_t seq = 0;
  for (std::uint64_t token = 0; token <= 500; ++token) {
    CHECK(answers[token].token == token);
    for (const EventView& event : answers[token].batch->events()) {
      CHECK(event.position.seq() == ++seq);
    }
  }
  CHECK(store->status().commits == 2);
}

TEST_CASE("over queued_bytes_max a batch is refused and stays with its owner") {
  TempDir directory;
  HoldingListener listener;
  auto options = options_in(directory);
  options.limits.queued_bytes_max = 10'000;
  auto store = std::move(*Store::open(options, listener, Log::none()));
  auto inbox = std::make_shared<Inbox>();
  REQUIRE(store->submit(batch_of(1, 50'000), inbox, 0));  // of any size when nothing waits
  REQUIRE(listener.reached.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(30)));

  auto batch = batch_of(3, 100);
  const auto refused = store->submit(std::move(batch), inbox, 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Overloaded);
  REQUIRE(batch != nullptr);
  CHECK(batch->size() == 3);
  listener.go.set(true);
  REQUIRE(take(*inbox, 1).size() == 1);

  // The answer comes a moment before its place in the queue is free.
  auto again = store->submit(std::move(batch), inbox, 2);
  while (!again && again.error().code == Errc::Overloaded) {
    std::this_thread::yield();
    again = store->submit(std::move(batch), inbox, 2);
  }
  CHECK(again);
}

TEST_CASE("many threads submit, read and move cursors at the same time") {
  TempDir directory;
  TestStore store(options_in(directory));
  const auto no = store.put_consumer({.name = "c", .filters = {{"#", {}}}}).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto inbox = std::make_shared<Inbox>();
      for (std::uint64_t token = 0; token < 200; ++token) {
        MARRAM_ASSERT(store.store->submit(batch_of(3, 100), inbox, token).has_value(), "taken");
        store.store->save_cursors({{no, 1, token}});
        store.store->status();
      }
      const auto answers = take(*inbox, 200);
      MARRAM_ASSERT(answers.size() == 200, "all are answered");
      for (std::uint64_t token = 0; token < 200; ++token) {
        MARRAM_ASSERT(answers[token].token == token, "in order");
      }
    });
  }
  std::uint64_t after = 0;
  std::uint64_t count = 0;
  while (count < 2400) {
    const auto read = store.read({.log = 1, .after = after, .filters = {}});
    if (!read) continue;  // the log is not there yet
    REQUIRE(read->gaps.empty());
    count += read->batch->size();
    after = read->upto;
  }
  for (std::thread& thread : threads) thread.join();

  CHECK(store.listener.told().events().size() == 2400);
  CHECK(after == 2400);
}

TEST_CASE("close() commits what was taken") {
  TempDir directory;
  TestStore store(options_in(directory));
  auto inbox = std::make_shared<Inbox>();
  for (std::uint64_t token = 0; token < 50; ++token) {
    REQUIRE(store.store->submit(batch_of(10, 100), inbox, token));
  }

  store.store->close();

  CHECK(take(*inbox, 50).size() == 50);
  CHECK(sql(directory / "data/marram.db", "SELECT count(*) FROM event")[0] == "500");
}

TEST_SUITE_END();

}  // namespace marram::test
