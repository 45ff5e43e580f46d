#include "core/store/disk_store.h"

#include <system_error>
#include <utility>

#include "core/store/data_dir.h"

namespace marram {

namespace store {

namespace {

Error closed() { return {Errc::Closed, "store: closed (open it again)"}; }

}  // namespace

DiskStore::DiskStore(StoreOptions options, StoreListener& listener, Log& log, const Clock& clock,
                     LockFile lock)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      committer_(options_, listener, log, clock, board_) {}

DiskStore::~DiskStore() { close(); }

Status DiskStore::start() {
  if (auto status = committer_.open(); !status) return status;
  node_id_ = committer_.node_id();
  consumers_ = committer_.consumers();
  last_recorded_ = committer_.recorded();
  mesh_records_ = committer_.mesh_records();
  reader_ = std::make_unique<Reader>(options_.data_dir / "marram.db", options_.vfs, board_,
                                     [this] { on_damage(); });
  committer_.share_with(*reader_);
  writer_ = std::make_unique<Writer>(committer_, options_.limits.queued_bytes_max);
  return {};
}

Status DiskStore::submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                         std::uint64_t token) {
  SubmitCommand command{std::move(batch), std::move(listener), token};
  auto status = writer_->submit(command);
  if (!status) batch = std::move(command.batch);
  return status;
}

template <class Asked>
void DiskStore::ask(Asked asked) {
  Command command = std::move(asked);
  if (!writer_->post(command)) std::get<Asked>(command).done(tl::unexpected(closed()));
}

void DiskStore::put_consumer(ConsumerRecord record, ConsumerDone done) {
  ask(PutConsumerCommand{std::move(record), std::move(done)});
}

void DiskStore::remove_consumer(std::uint32_t no, std::function<void(Status)> done) {
  ask(RemoveConsumerCommand{no, std::move(done)});
}

void DiskStore::save_cursors(std::vector<CursorMove> moves) {
  Command command = SaveCursorsCommand{std::move(moves)};
  writer_->post(command);
}

void DiskStore::read(ReadRequest request, std::function<void(Result<ReadResult>)> done) {
  reader_->read(std::move(request), done);
}

void DiskStore::find_time(std::uint32_t log, WallTime time,
                          std::function<void(Result<std::uint64_t>)> done) {
  reader_->find_time(log, time, done);
}

void DiskStore::write_copy(CopyWrite write, CopyDone done) {
  ask(WriteCopyCommand{std::move(write), std::move(done)});
}

void DiskStore::put_hold(HoldRecord hold, std::function<void(Status)> done) {
  ask(PutHoldCommand{std::move(hold), std::move(done)});
}

void DiskStore::remove_hold(std::string peer, std::string stream,
                            std::function<void(Status)> done) {
  ask(RemoveHoldCommand{std::move(peer), std::move(stream), std::move(done)});
}

void DiskStore::move_holds(std::vector<HoldMove> moves, WallTime now) {
  Command command = MoveHoldsCommand{std::move(moves), now};
  writer_->post(command);
}

void DiskStore::set_pins(std::vector<Pin> pins) {
  Command command = SetPinsCommand{std::move(pins)};
  writer_->post(command);
}

void DiskStore::save_facts(MeshFacts facts) {
  Command command = SaveFactsCommand{facts};
  writer_->post(command);
}

void DiskStore::end_epoch(std::function<void(Status)> done) {
  ask(EndEpochCommand{std::move(done)});
}

void DiskStore::forget_log(std::uint32_t log, std::function<void(Status)> done) {
  ask(ForgetLogCommand{log, std::move(done)});
}

// On the reader's thread, which never comes before the writer's is there.
void DiskStore::on_damage() {
  Command command = CheckCommand{};
  writer_->post(command);
}

StoreStatus DiskStore::status() const {
  StoreStatus status = board_.status();
  for (const LogRecord& log : status.logs) status.events += log.events;
  for (const char* const name : {"marram.db", "marram.db-wal"}) {
    std::error_code ignored;
    const auto bytes = std::filesystem::file_size(options_.data_dir / name, ignored);
    if (!ignored) status.file_bytes += bytes;
  }
  std::error_code ignored;
  status.disk_free_bytes = std::filesystem::space(options_.data_dir, ignored).available;
  return status;
}

void DiskStore::close() {
  // Held until all is closed: who comes second returns when it is.
  closed_.with([this](bool& closed) {
    if (std::exchange(closed, true)) return;
    if (reader_) reader_->close();
    if (writer_) writer_->close();
    lock_.reset();
  });
}

}  // namespace store

Result<std::unique_ptr<Store>> Store::open(StoreOptions options, StoreListener& listener, Log& log,
                                           const Clock& clock) {
  if (options.streams.streams().empty()) {
    options.streams = *StreamTable::make({}, Durability::Fsync);
  }
  if (auto status = store::make_directory(options.data_dir); !status) {
    return tl::unexpected(status.error());
  }
  auto lock = store::LockFile::take(options.data_dir / "marram.lock");
  if (!lock) return tl::unexpected(lock.error());
  auto made = std::make_unique<store::DiskStore>(std::move(options), listener, log, clock,
                                                 std::move(*lock));
  if (auto status = made->start(); !status) return tl::unexpected(status.error());
  return made;
}

}  // namespace marram
