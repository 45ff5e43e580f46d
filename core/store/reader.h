// The reader thread: a read-only connection for those who have fallen behind.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/base/mailbox.h"
#include "core/store/board.h"
#include "core/store/committer.h"
#include "core/store/event_reader.h"

namespace marram::store {

// Threads: any, but for what the constructor starts.
class Reader : public FileUser {
 public:
  // `board` outlives the object.  The file is opened at the first job.  `on_damage` is
  // called when a page does not read.
  Reader(std::filesystem::path path, std::string vfs, const Board& board,
         std::function<void()> on_damage);
  ~Reader() override;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Each `done` is called, with Closed after close().
  void read(Store::ReadRequest request, const std::function<void(Result<ReadResult>)>& done);
  void find_time(std::uint32_t log, WallTime time,
                 const std::function<void(Result<std::uint64_t>)>& done);
  // Jobs wait between the two.
  void pause() override;
  void resume() override;

  // Does what was asked before, then ends the thread.
  void close();

 private:
  using Job = std::function<void()>;

  void loop();
  Result<EventReader*> open();
  Result<ReadResult> read(const Store::ReadRequest& request);
  Result<std::uint64_t> find_time(std::uint32_t log, WallTime time);
  void drop(const Error& error);

  const std::filesystem::path path_;
  const std::string vfs_;
  const Board& board_;
  const std::function<void()> on_damage_;
  std::unique_ptr<Connection> connection_;  // of the thread, as is the next
  std::unique_ptr<EventReader> events_;
  std::shared_ptr<Handoff<bool>> resumed_;  // of who pauses
  Mailbox<Job> box_;
  std::thread thread_;
};

}  // namespace marram::store
