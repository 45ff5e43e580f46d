#include "core/store/writer.h"

#include <fmt/format.h>

namespace marram::store {

namespace {

// A transaction that grows over this is ended, so that the write-ahead log keeps
// to its file and those who wait are answered.
constexpr std::size_t kGroupBytesMax = 8 << 20;

std::size_t submitted_bytes(const Command& command) {
  const auto* const submit = std::get_if<SubmitCommand>(&command);
  return submit == nullptr ? 0 : submit->batch->bytes();
}

std::size_t copied_bytes(const Command& command) {
  const auto* const copy = std::get_if<WriteCopyCommand>(&command);
  return copy == nullptr || !copy->write.events ? 0 : copy->write.events->bytes();
}

}  // namespace

Writer::Writer(Committer& committer, std::size_t queued_bytes_max)
    : committer_(committer), queued_bytes_max_(queued_bytes_max), thread_([this] { loop(); }) {}

Writer::~Writer() { close(); }

Status Writer::submit(SubmitCommand& command) {
  const std::size_t bytes = command.batch->bytes();
  const std::size_t before = queued_bytes_.fetch_add(bytes);
  // One batch of any size gets through an empty queue.
  if (before != 0 && before + bytes > queued_bytes_max_) {
    queued_bytes_.fetch_sub(bytes);
    return fail(Errc::Overloaded,
                fmt::format("store: {} bytes wait to be stored already (try again, or raise "
                            "limits.queued_bytes_max, now {})",
                            before, queued_bytes_max_));
  }
  Command item(std::move(command));
  if (box_.offer(item)) return {};
  queued_bytes_.fetch_sub(bytes);
  command = std::move(std::get<SubmitCommand>(item));
  return fail(Errc::Closed, "store: closed (open it again)");
}

void Writer::loop() {
  std::vector<Command> commands;
  for (;;) {
    while (box_.take(commands)) {
      run(commands);
      committer_.tend(false);
    }
    if (box_.drained()) break;
    box_.wait(committer_.tend(true));
  }
  committer_.close();
}

void Writer::run(std::span<Command> commands) {
  while (!commands.empty()) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    std::size_t submitted = 0;
    while (count < commands.size() && bytes < kGroupBytesMax) {
      const Command& command = commands[count++];
      submitted += submitted_bytes(command);
      bytes += submitted_bytes(command) + copied_bytes(command);
    }
    // First: nothing is put on top of what may be damaged.
    for (const Command& command : commands.first(count)) {
      if (std::holds_alternative<CheckCommand>(command)) committer_.check();
    }
    committer_.run(commands.first(count));
    queued_bytes_.fetch_sub(submitted);
    commands = commands.subspan(count);
  }
}

void Writer::close() {
  box_.close();
  if (thread_.joinable()) thread_.join();
}

}  // namespace marram::store
