// The store's transactions without its threads, on a clock that stands still
// until it is moved.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/store/committer.h"
#include "core/store/data_dir.h"
#include "core/store/event_reader.h"
#include "tests/store/store_fixture.h"

namespace marram::test {

class ManualClock : public Clock {
 public:
  TimePoint now() const override { return TimePoint(Duration(1'000'000) + passed_); }
  WallTime wall() const override { return WallTime(std::chrono::sys_days{kDay}) + passed_; }
  void pass(Duration time) { passed_ += time; }

 private:
  static constexpr std::chrono::year_month_day kDay{std::chrono::year(2026), std::chrono::month(11),
                                                    std::chrono::day(24)};
  Duration passed_{0};
};

class ErrorLog : public Log {
 public:
  void write(LogLevel level, std::string_view, std::string_view message, LogFields) override {
    if (level == LogLevel::Error) all.emplace_back(message);
  }
  std::vector<std::string> all;
};

class CommitterFixture {
 public:
  explicit CommitterFixture(StoreOptions with, Log& log = Log::none()) : options(std::move(with)) {
    MARRAM_ASSERT(store::make_directory(options.data_dir).has_value(), "data_dir can be made");
    committer = std::make_unique<store::Committer>(options, listener, log, clock, board);
    opened = committer->open();
  }

  Published submit(const std::vector<Event>& events) {
    auto batch = std::make_unique<EventBatch>();
    for (const Event& event : events) {
      batch->add(event, *pack_headers(event.headers), clock.wall(), ids_);
    }
    auto inbox = std::make_shared<Inbox>();
    run(store::SubmitCommand{std::move(batch), inbox, 0});
    std::vector<Notice> notices;
    MARRAM_ASSERT(inbox->take(notices), "a submit is answered when run() returns");
    return std::get<Published>(notices.front());
  }
  Published submit(std::size_t count, const std::string& topic, std::size_t payload_bytes = 16) {
    const Event event{.topic = topic, .payload = std::string(payload_bytes, 'x')};
    return submit(std::vector<Event>(count, event));
  }

  std::uint32_t put_consumer(const std::string& name, std::vector<FilterRecord> filters) {
    ConsumerRecord record{.name = name, .filters = std::move(filters)};
    record.created = record.seen = clock.wall();
    std::uint32_t no = 0;
    run(store::PutConsumerCommand{std::move(record),
                                  [&](Result<std::uint32_t> made) { no = made.value(); }});
    return no;
  }

  Result<std::uint32_t> write(CopyWrite write) {
    Result<std::uint32_t> answer = fail(Errc::TimedOut, "no answer");
    run(store::WriteCopyCommand{std::move(write),
                                [&](Result<std::uint32_t> no) { answer = std::move(no); }});
    return answer;
  }
  // A command with a `done` that is told a Status.
  template <class Command>
  Status ask(Command command) {
    Status answer = fail(Errc::TimedOut, "no answer");
    command.done = [&](Status status) { answer = std::move(status); };
    run(std::move(command));
    return answer;
  }

  void move(std::uint32_t consumer, std::uint32_t log, std::uint64_t upto) {
    run(store::SaveCursorsCommand{{{consumer, log, upto}}});
    clock.pass(std::chrono::milliseconds(200));
    committer->tend(false);
  }

  // As time goes by: everything that is due.
  void rest(Duration time) {
    clock.pass(time);
    for (int i = 0; i < 1000; ++i) {
      const auto next = committer->tend(true);
      if (!next || *next > Duration(0)) return;
    }
    MARRAM_ASSERT(false, "tend() comes to an end");
  }

  void run(store::Command command) { committer->run({&command, 1}); }

  LogRecord log(std::uint32_t no) const { return board.log(no).value(); }
  // With a connection of its own.
  Result<ReadResult> read(Store::ReadRequest request) {
    auto connection = store::Connection::open(options.data_dir / "marram.db",
                                              store::Access::ReadOnly, options.vfs);
    if (!connection) return tl::unexpected(connection.error());
    return store::EventReader(*connection).read(request);
  }

  StoreOptions options;
  RecordingListener listener;
  ManualClock clock;
  store::Board board;
  std::unique_ptr<store::Committer> committer;
  Status opened;

 private:
  UuidMaker ids_;
};

}  // namespace marram::test
