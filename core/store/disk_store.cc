#include "core/store/disk_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace marram {

namespace store {

namespace {

Error closed() { return {Errc::Closed, "store: closed (open it again)"}; }

Error cannot(std::string_view doing, const std::filesystem::path& path, int code) {
  return {Errc::Io, fmt::format("store: cannot {} {}: {} (check the owner and mode, and that the "
                                "file system is writable)",
                                doing, path.string(), std::strerror(code))};
}

Status make_directory(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) return tl::unexpected(cannot("make", path.parent_path(), error.value()));
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return tl::unexpected(cannot("make", path, errno));
}

// SQLite gives its other files the mode of this one.  To be done before the file
// is open: closing a descriptor would drop SQLite's locks on it.
Status make_private(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return tl::unexpected(cannot("open", path, errno));
  const int code = ::fchmod(fd, 0600) == 0 ? 0 : errno;
  ::close(fd);
  return code == 0 ? Status() : tl::unexpected(cannot("make private", path, code));
}

}  // namespace

DiskStore::DiskStore(StoreOptions options, StoreListener& listener, Log& log, const Clock& clock,
                     LockFile lock)
    : options_(std::move(options)), lock_(std::move(lock)),
      committer_(options_, listener, log, clock, board_) {}

DiskStore::~DiskStore() { close(); }

Status DiskStore::start() {
  const auto path = options_.data_dir / "marram.db";
  if (auto status = make_private(path); !status) return status;
  if (auto status = committer_.open(); !status) return status;
  node_id_ = committer_.node_id();
  consumers_ = committer_.consumers();
  last_recorded_ = committer_.recorded();
  writer_ = std::make_unique<Writer>(committer_, options_.limits.queued_bytes_max);
  reader_ = std::make_unique<Reader>(path, options_.vfs, board_);
  return {};
}

Status DiskStore::submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                         std::uint64_t token) {
  SubmitCommand command{std::move(batch), std::move(listener), token};
  auto status = writer_->submit(command);
  if (!status) batch = std::move(command.batch);
  return status;
}

void DiskStore::put_consumer(ConsumerRecord record, ConsumerDone done) {
  Command command = PutConsumerCommand{std::move(record), std::move(done)};
  if (writer_->post(command)) return;
  std::get<PutConsumerCommand>(command).done(tl::unexpected(closed()));
}

void DiskStore::remove_consumer(std::uint32_t no, std::function<void(Status)> done) {
  Command command = RemoveConsumerCommand{no, std::move(done)};
  if (writer_->post(command)) return;
  std::get<RemoveConsumerCommand>(command).done(tl::unexpected(closed()));
}

void DiskStore::save_cursors(std::vector<CursorMove> moves) {
  Command command = SaveCursorsCommand{std::move(moves)};
  writer_->post(command);
}

void DiskStore::read(ReadRequest request, std::function<void(Result<ReadResult>)> done) {
  reader_->read(std::move(request), std::move(done));
}

void DiskStore::find_time(std::uint32_t log, WallTime time,
                          std::function<void(Result<std::uint64_t>)> done) {
  reader_->find_time(log, time, std::move(done));
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
