// The writer thread: takes what queued up while the last commit ran and commits
// it in one transaction (natural group commit).  No timer, no least batch.
#pragma once

#include <atomic>
#include <span>
#include <thread>
#include <vector>

#include "core/base/mailbox.h"
#include "core/store/command.h"
#include "core/store/committer.h"

namespace marram::store {

// Threads: submit(), post() and close() from any.
class Writer {
 public:
  // `committer` is open, and from now on the writer's; it outlives the object.
  Writer(Committer& committer, std::size_t queued_bytes_max);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Errors, with the batch left in `command`: Overloaded, Closed
  Status submit(SubmitCommand& command);
  // False after close(), with `command` left as it was.
  bool post(Command& command) { return box_.offer(command); }

  // Refuses from now on, finishes what was taken, ends the thread.
  void close();

 private:
  void loop();
  void run(std::span<Command> commands);

  Committer& committer_;
  const std::size_t queued_bytes_max_;
  std::atomic<std::size_t> queued_bytes_ = 0;
  Mailbox<Command> box_;
  std::thread thread_;
};

}  // namespace marram::store
