#include "core/store/reader.h"

#include <algorithm>
#include <vector>

#include "core/store/schema.h"

namespace marram::store {

namespace {

constexpr auto kForEver = std::chrono::steady_clock::time_point::max();

Error closed() { return {Errc::Closed, "store: closed (open it again)"}; }

// Nothing of the log is on disk.
ReadResult read_nothing(const LogRecord& log, std::uint64_t after, const char* reason) {
  ReadResult result;
  result.batch = std::make_shared<EventBatch>();
  result.upto = std::max(log.head, after);
  if (after < log.head) result.gaps.push_back({log.no, after + 1, log.head, reason});
  return result;
}

bool is_memory(const LogRecord& log) { return log.durability == Durability::Memory; }

}  // namespace

Reader::Reader(std::filesystem::path path, std::string vfs, const Board& board,
               std::function<void()> on_damage)
    : path_(std::move(path)),
      vfs_(std::move(vfs)),
      board_(board),
      on_damage_(std::move(on_damage)),
      thread_([this] { loop(); }) {}

Reader::~Reader() { close(); }

void Reader::read(Store::ReadRequest request, const std::function<void(Result<ReadResult>)>& done) {
  const Job job = [this, request = std::move(request), done] { done(read(request)); };
  if (!box_.post(job)) done(tl::unexpected(closed()));
}

void Reader::find_time(std::uint32_t log, WallTime time,
                       const std::function<void(Result<std::uint64_t>)>& done) {
  const Job job = [this, log, time, done] { done(find_time(log, time)); };
  if (!box_.post(job)) done(tl::unexpected(closed()));
}

void Reader::loop() {
  std::vector<Job> jobs;
  for (;;) {
    while (box_.take(jobs)) {
      for (const Job& job : jobs) job();
    }
    if (box_.drained()) break;
    box_.wait({});
  }
  events_.reset();
  connection_.reset();
}

Result<EventReader*> Reader::open() {
  if (events_) return events_.get();
  auto connection = Connection::open(path_, Access::ReadOnly, vfs_);
  if (!connection) return tl::unexpected(connection.error());
  if (auto status = prepare_reading(*connection); !status) return tl::unexpected(status.error());
  connection_ = std::make_unique<Connection>(std::move(*connection));
  events_ = std::make_unique<EventReader>(*connection_);
  return events_.get();
}

// The next job opens the file again.
void Reader::drop(const Error& error) {
  if (error.code == Errc::NotFound) return;
  events_.reset();
  connection_.reset();
  if (error.code == Errc::Corrupt) on_damage_();
}

void Reader::pause() {
  auto paused = std::make_shared<Handoff<bool>>();
  resumed_ = std::make_shared<Handoff<bool>>();
  const bool posted = box_.post([this, paused, resumed = resumed_] {
    events_.reset();
    connection_.reset();
    paused->set(true);
    resumed->wait_until(kForEver);
  });
  // A reader that has been closed has no file open.
  if (posted) paused->wait_until(kForEver);
}

void Reader::resume() { resumed_->set(true); }

Result<ReadResult> Reader::read(const Store::ReadRequest& request) {
  const auto log = board_.log(request.log);
  if (log && is_memory(*log)) return read_nothing(*log, request.after, "memory");
  const auto events = open();
  if (!events) return tl::unexpected(events.error());
  auto result = (*events)->read(request);
  // A log that was empty when the database was opened again has been forgotten there.
  const bool forgotten = !result && result.error().code == Errc::NotFound && log && !log->open;
  if (forgotten) return read_nothing(*log, request.after, "retention");
  if (!result) drop(result.error());
  return result;
}

Result<std::uint64_t> Reader::find_time(std::uint32_t log, WallTime time) {
  const auto known = board_.log(log);
  if (known && is_memory(*known)) return known->head + 1;
  const auto events = open();
  if (!events) return tl::unexpected(events.error());
  auto found = (*events)->find_time(log, time);
  if (!found) drop(found.error());
  return found;
}

void Reader::close() {
  box_.close();
  if (thread_.joinable()) thread_.join();
}

}  // namespace marram::store
