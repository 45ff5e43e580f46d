// An endpoint without a loop: the test drives it, and says what time it is and
// what the store does.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/node/broker.h"
#include "core/node/endpoint.h"
#include "core/store/store.h"
#include "tests/client/raw_peer.h"

namespace marram::test {

// A store of nothing, which takes batches or does not, and answers when told.
class HandStore : public Store {
 public:
  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override {
    if (refuses) return fail(*refuses, "store: refused by the test");
    waiting_.push_back({std::move(batch), std::move(listener), token});
    return {};
  }
  // Stores everything that was taken.
  void commit() {
    for (Waiting& one : std::exchange(waiting_, {})) {
      for (EventView& event : one.batch->events()) event.position = Position(1, ++seq_);
      one.listener->notify(Published{one.token, EventBatchPtr(std::move(one.batch)), {}});
    }
  }
  std::optional<Errc> refuses;

  const std::string& node_id() const override { return id_; }
  std::vector<LogRecord> logs() const override { return {}; }
  std::vector<ConsumerRecord> consumers() const override { return {}; }
  WallTime last_recorded() const override { return {}; }
  void put_consumer(ConsumerRecord, ConsumerDone done) override { done(1); }
  void remove_consumer(std::uint32_t, std::function<void(Status)> done) override { done({}); }
  void save_cursors(std::vector<CursorMove>) override {}
  void read(ReadRequest, std::function<void(Result<ReadResult>)> done) override {
    done(ReadResult{std::make_shared<EventBatch>(), 0, {}});
  }
  void find_time(std::uint32_t, WallTime,
                 std::function<void(Result<std::uint64_t>)> done) override {
    done(1);
  }
  StoreStatus status() const override { return {}; }
  void close() override {}

 private:
  struct Waiting {
    std::unique_ptr<EventBatch> batch;
    ListenerPtr listener;
    std::uint64_t token;
  };
  std::string id_ = "node";
  std::vector<Waiting> waiting_;
  std::uint64_t seq_ = 0;
};

class HandDriven {
 public:
  explicit HandDriven(Limits limits = {}, Duration silent_after = std::chrono::seconds(15)) {
    dir_ = (std::filesystem::temp_directory_path() / "marram-XXXXXX").string();
    MARRAM_ASSERT(::mkdtemp(dir_.data()) != nullptr, "a directory for the test can be made");
    auto opened = Endpoint::open({.listen = {address()},
                                  .limits = limits,
                                  .node_name = "gw",
                                  .node_id = "id",
                                  .silent_after = silent_after},
                                 broker_, store);
    MARRAM_ASSERT(opened.has_value(), "the endpoint binds in the test's directory");
    endpoint_ = std::move(*opened);
  }
  ~HandDriven() {
    endpoint_.reset();
    std::filesystem::remove_all(dir_);
  }
  HandDriven(const HandDriven&) = delete;
  HandDriven& operator=(const HandDriven&) = delete;

  std::string address() const { return "ipc://" + dir_ + "/s"; }
  Endpoint& endpoint() { return *endpoint_; }

  // Runs the endpoint, at the time `now`, until `done` or for 5 real seconds.
  bool until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      for (auto& task : std::exchange(tasks_, {})) task();
      broker_.flush();
      if (committing) store.commit();
      if (!endpoint_->run(now)) wait_a_bit();
    }
    return true;
  }
  // The next frame of that kind that `peer` gets.
  template <class Kind>
  std::optional<Kind> answer(RawPeer& peer) {
    std::optional<Kind> found;
    until([&] {
      while (auto frame = peer.poll()) {
        if (auto* one = std::get_if<Kind>(&*frame)) {
          found = std::move(*one);
          return true;
        }
      }
      return false;
    });
    return found;
  }
  bool greet(RawPeer& peer, const std::string& instance) {
    peer.send_hello(instance);
    return answer<wire::Welcome>(peer).has_value();
  }
  HandStore store;
  bool committing = false;  // every round
  TimePoint now{std::chrono::seconds(1000)};

 private:
  void wait_a_bit() {
    std::vector<zmq::pollitem_t> items;
    endpoint_->add_poll_items(items);
    zmq::poll(items, std::chrono::milliseconds(1));
  }

  std::string dir_;
  std::vector<std::function<void()>> tasks_;
  Broker broker_{store, [this](std::function<void()> task) { tasks_.push_back(std::move(task)); },
                 Broker::Options{}};
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace marram::test
