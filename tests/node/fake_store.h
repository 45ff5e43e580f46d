// A store in memory whose answers come when the test says so, and a broker on it.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/event/topic.h"
#include "core/node/broker.h"

namespace marram::test {

using namespace std::chrono_literals;

class FakeClock : public Clock {
 public:
  TimePoint now() const override { return steady; }
  WallTime wall() const override { return wall_time; }
  void advance(Duration by) {
    steady += by;
    wall_time += by;
  }
  TimePoint steady{1000s};
  WallTime wall_time{1'700'000'000s};
};

class FakeStore : public Store {
 public:
  const std::string& node_id() const override { return id_; }
  std::vector<LogRecord> logs() const override {
    std::vector<LogRecord> out;
    for (const auto& [no, all] : events) {
      out.push_back({.no = no,
                     .id = {"n", std::to_string(no) + "-x", "events"},
                     .open = false,
                     .first = first_of(no),
                     .head = all.size(),
                     .events = all.size() + 1 - first_of(no),
                     .bytes = 1});
    }
    return out;
  }
  std::vector<ConsumerRecord> consumers() const override {
    std::vector<ConsumerRecord> out;
    for (const auto& [no, record] : records) out.push_back(record);
    return out;
  }
  WallTime last_recorded() const override { return {}; }
  Status submit(std::unique_ptr<EventBatch>&&, ListenerPtr, std::uint64_t) override {
    return fail(Errc::Unsupported, "fake store: commits are told by the test");
  }
  void put_consumer(ConsumerRecord record, ConsumerDone done) override {
    puts.push_back(record);
    work.push_back([this, record, done]() mutable {
      if (failing) return done(fail(Errc::Io, "fake store: the disk is broken"));
      if (record.no == 0) record.no = next_no_++;
      const auto known = records.find(record.no);
      if (known != records.end()) record.cursors = known->second.cursors;
      records[record.no] = record;
      done(record.no);
    });
  }
  void remove_consumer(std::uint32_t no, std::function<void(Status)> done) override {
    work.push_back([this, no, done] {
      records.erase(no);
      done({});
    });
  }
  void save_cursors(std::vector<CursorMove> moves) override { saves.push_back(std::move(moves)); }
  void read(ReadRequest request, std::function<void(Result<ReadResult>)> done) override {
    ++reads_open;
    reads_open_most = std::max(reads_open_most, reads_open);
    reads.push_back(request);
    work.push_back([this, request, done] {
      --reads_open;
      if (failing) return done(fail(Errc::Io, "fake store: the disk is broken"));
      done(look(request));
    });
  }
  void find_time(std::uint32_t log, WallTime time,
                 std::function<void(Result<std::uint64_t>)> done) override {
    work.push_back([this, log, time, done] {
      std::uint64_t seq = 1;
      while (seq <= events[log].size() && events[log][seq - 1].recorded < time) ++seq;
      done(seq);
    });
  }
  StoreStatus status() const override { return {.logs = logs()}; }
  void close() override {}

  struct Stored {
    std::string topic;
    WallTime recorded;
  };
  std::map<std::uint32_t, std::vector<Stored>> events;
  std::map<std::uint32_t, std::vector<Gap>> gaps;  // from the first event on, nothing between
  std::map<std::uint32_t, ConsumerRecord> records;
  std::vector<ConsumerRecord> puts;
  std::vector<ReadRequest> reads;
  std::vector<std::vector<CursorMove>> saves;
  std::deque<std::function<void()>> work;
  int reads_open = 0;
  int reads_open_most = 0;
  bool failing = false;

  std::uint64_t first_of(std::uint32_t log) const {
    const auto found = gaps.find(log);
    return found == gaps.end() || found->second.empty() ? 1 : found->second.back().to + 1;
  }

  EventView& add(EventBatch& batch, std::uint32_t log, std::uint64_t seq) {
    const Stored& stored = events[log][seq - 1];
    EventView view;
    view.topic = stored.topic;
    EventView& event = batch.add(view, stored.recorded, ids_);
    event.position = Position(log, seq);
    event.recorded = stored.recorded;
    return event;
  }

 private:
  ReadResult look(const ReadRequest& request) {
    auto batch = std::make_shared<EventBatch>();
    const auto& all = events[request.log];
    const std::uint64_t first = first_of(request.log);
    std::uint64_t seq = std::max(request.after, first - 1);
    std::vector<Gap> skipped;
    for (const Gap& gap : gaps[request.log]) {
      const std::uint64_t from = std::max(gap.from, request.after + 1);
      if (from <= gap.to) skipped.push_back({gap.log, from, gap.to, gap.reason});
    }
    while (seq < all.size() && batch->size() < request.events_max) {
      const Stored& stored = all[seq++];
      const bool wanted =
          request.filters.empty() ||
          std::any_of(request.filters.begin(), request.filters.end(), [&](const auto& filter) {
            return filter.after < stored.recorded && matches(filter.filter, stored.topic);
          });
      if (wanted) add(*batch, request.log, seq);
    }
    return {batch, seq, skipped, first};
  }

  std::string id_ = "n";
  UuidMaker ids_;
  std::uint32_t next_no_ = 1;
};

// The loop of a node, turned by hand.
class FakeNode {
 public:
  explicit FakeNode(Limits limits = {}, std::size_t reads_max = 16, bool copies = false)
      : limits_(limits), reads_max_(reads_max), copies_(copies) {
    start();
  }
  void start() {
    broker = std::make_unique<Broker>(
        store, [this](std::function<void()> task) { tasks_.push_back(std::move(task)); },
        Broker::Options{.limits = limits_,
                        .name = "test",
                        .data_dir = "nowhere",
                        .clock = &clock,
                        .reads_max = reads_max_,
                        .copies = copies_});
  }

  FakeClock clock;
  FakeStore store;
  std::unique_ptr<Broker> broker;
  std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();

  SubscriptionId open(SubscribeOptions options) {
    const SubscriptionId id = broker->new_id();
    broker->open(id, std::move(options), inbox);
    return id;
  }
  // Opens log `no` and commits events of these topics, told or dropped on the way.
  void commit(std::uint32_t no, const std::vector<std::string>& topics, bool dropped = false) {
    clock.advance(1ms);
    if (!store.events.contains(no)) {
      store.events[no];
      LogRecord log{.no = no, .id = {"n", std::to_string(no) + "-x", "events"}, .open = true};
      broker->on_log_opened(log);
    }
    auto batch = std::make_shared<EventBatch>();
    for (const std::string& topic : topics) {
      store.events[no].push_back({topic, clock.wall_time});
      store.add(*batch, no, store.events[no].size());
    }
    const Position head(no, store.events[no].size());
    if (dropped) {
      broker->on_dropped({&head, 1}, clock.wall_time);
    } else {
      broker->on_committed(batch);
    }
  }
  // Events up to `upto` of log `no` are dropped from under somebody.
  void drop(std::uint32_t no, std::uint64_t upto, const std::string& reason = "ttl") {
    const Gap gap{no, store.first_of(no), upto, reason};
    store.gaps[no].push_back(gap);
    broker->on_trimmed(no, upto + 1, gap, upto + 1 - gap.from);
  }
  // Runs everything that is to be done now; the store answers unless `busy`.
  void run(bool busy = false) {
    for (;;) {
      broker->flush();
      if (!busy && !store.work.empty()) {
        const auto job = std::move(store.work.front());
        store.work.pop_front();
        job();
      }
      const auto tasks = std::exchange(tasks_, {});
      for (const auto& task : tasks) task();
      if (tasks.empty() && (busy || store.work.empty())) break;
    }
    broker->flush();
  }
  void pass(Duration time) {
    const TimePoint end = clock.steady + time;
    for (auto wake = broker->wake_at(); wake && *wake <= end; wake = broker->wake_at()) {
      clock.advance(std::max(Duration(0), *wake - clock.steady));
      broker->on_tick();
      run();
    }
    clock.advance(end - clock.steady);
  }

  // The notices since the last call, as words: "opened 1/1 1/2* gap:1/3-9:ttl ended:busy".
  std::string words() {
    std::string out;
    std::vector<Notice> notices;
    while (inbox->take(notices)) {
      for (const Notice& notice : notices) out += word(notice);
    }
    if (!out.empty()) out.pop_back();
    return out;
  }

 private:
  static std::string word(const Notice& notice) {
    if (const auto* ended = std::get_if<Ended>(&notice)) {
      return "ended:" + std::string(name(ended->error.code)) + " ";
    }
    if (const auto* changed = std::get_if<Changed>(&notice)) {
      return changed->status ? "changed "
                             : "changed:" + std::string(name(changed->status.error().code)) + " ";
    }
    if (const auto* removed = std::get_if<Removed>(&notice)) {
      return removed->status ? "removed "
                             : "removed:" + std::string(name(removed->status.error().code)) + " ";
    }
    if (std::holds_alternative<Opened>(notice)) return "opened ";
    if (const auto* skipped = std::get_if<Skipped>(&notice)) {
      const Gap& gap = skipped->gap;
      return fmt::format("gap:{}/{}-{}:{} ", gap.log, gap.from, gap.to, gap.reason);
    }
    std::string out;
    if (const auto* delivered = std::get_if<Delivered>(&notice)) {
      for (const std::uint32_t index : delivered->indices) {
        const Position position = delivered->batch->events()[index].position;
        out += std::to_string(position.log()) + "/" + std::to_string(position.seq()) +
               (delivered->attempt > 1 ? "* " : " ");
      }
    }
    return out;
  }

  Limits limits_;
  std::size_t reads_max_;
  bool copies_;
  std::vector<std::function<void()>> tasks_;
};

}  // namespace marram::test
