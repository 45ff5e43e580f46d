#include "tests/sim/world/node_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/assert.h"
#include "core/store/schema.h"

namespace marram::sim {

namespace {

// A directory in which no space is free and nothing can be made: the files are in memory.
constexpr const char* kDirectory = "/proc";
constexpr const char* kFile = "/proc/marram.db";

StreamTable with_age(const StreamTable& streams, Duration age) {
  std::vector<StreamOptions> all = streams.streams();
  for (StreamOptions& stream : all) stream.retain.age = age;
  auto made = StreamTable::make(std::move(all), Durability::Fsync);
  MARRAM_ASSERT(made.has_value(), "a table with other ages is a table");
  return *made;
}

}  // namespace

NodeStore::NodeStore(Options options, StoreListener& listener, const Clock& clock)
    : name_(fmt::format("sim-{}-{}", options.node_id, fmt::ptr(this))),
      disk_(name_, options.seed),
      random_(options.seed),
      clock_(clock),
      listener_(listener),
      board_(std::make_unique<store::Board>()) {
  options_.data_dir = kDirectory;
  options_.node_name = options_.node_id = options.node_id;
  options_.streams = std::move(options.streams);
  options_.reserve_free_share = 0;
  options_.vfs = name_;
}

NodeStore::~NodeStore() = default;

Status NodeStore::open(std::uint64_t random) {
  options_.epoch_random = [random] { return fmt::format("{:016x}", random); };
  board_ = std::make_unique<store::Board>();
  committer_ =
      std::make_unique<store::Committer>(options_, listener_, Log::none(), clock_, *board_);
  auto status = committer_->open();
  if (!status) committer_.reset();
  return status;
}

void NodeStore::crash(std::span<store::Command> group) {
  if (!group.empty() && random_() % 2 == 0) {
    disk_.cut_after(1 + random_() % 30);
    committer_->run(group);
  }
  disk_.cut_after(0);
  committer_.reset();
  reader_.reset();
  connection_.reset();
  disk_.restore_power();
}

void NodeStore::put(const DiskImage& image) {
  reader_.reset();
  connection_.reset();
  disk_.put(image);
}

void NodeStore::trim(Duration older_than) {
  StreamTable streams = std::exchange(options_.streams, with_age(options_.streams, older_than));
  clock_.pass(std::chrono::seconds(1));  // rules are looked at once a second
  while (committer_->tend(false) == Duration(0)) continue;
  options_.streams = std::move(streams);
}

std::optional<LogRecord> NodeStore::find(const LogId& id) const {
  for (LogRecord& log : board_->logs()) {
    if (log.id == id) return std::move(log);
  }
  return {};
}

Result<store::EventReader*> NodeStore::reader() {
  if (reader_) return reader_.get();
  auto opened = store::Connection::open(kFile, store::Access::ReadOnly, name_);
  if (!opened) return tl::unexpected(opened.error());
  connection_ = std::make_unique<store::Connection>(std::move(*opened));
  if (auto status = store::prepare_reading(*connection_); !status) {
    return tl::unexpected(status.error());
  }
  reader_ = std::make_unique<store::EventReader>(*connection_);
  return reader_.get();
}

Result<ReadResult> NodeStore::read(const Store::ReadRequest& request) {
  const auto events = reader();
  if (!events) return tl::unexpected(events.error());
  return (*events)->read(request);
}

Result<std::uint64_t> NodeStore::find_time(std::uint32_t log, WallTime time) {
  const auto events = reader();
  if (!events) return tl::unexpected(events.error());
  return (*events)->find_time(log, time);
}

bool NodeStore::has(const LogId& id, std::uint64_t seq) {
  const auto log = find(id);
  if (!log || !reader()) return false;
  const std::string sql = fmt::format("SELECT count(*) FROM event WHERE position = {}",
                                      Position(log->no, seq).packed());
  return connection_->number(sql.c_str()).value_or(0) > 0;
}

}  // namespace marram::sim
