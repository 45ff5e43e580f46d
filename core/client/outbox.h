// The batches that a client was given and the node has not answered yet.
//
// They go out in order as PUBLISH frames, as far as the node's window has room,
// and stay until they are answered; after a lost session what is unanswered goes
// out again.  A batch may take several frames, and is answered when all are.
//
// Threads: one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/event/bus.h"
#include "core/wire/frames.h"

namespace marram::client {

class Outbox {
 public:
  // `queued_bytes` is made less by what is answered; it outlives the outbox.
  explicit Outbox(std::atomic<std::size_t>& queued_bytes) : queued_bytes_(queued_bytes) {}

  void submit(std::unique_ptr<EventBatch> batch, ListenerPtr listener, std::uint64_t token);

  // A session has begun: frames are numbered from 1, and hold `window_bytes` at most.
  void start(std::size_t window_bytes, std::size_t frame_bytes_max);
  // The session is lost; nothing is sent before the next start().
  void stop();

  // Appends the frames that the window has room for.
  void send(std::vector<std::string>& out);

  // Errors: Protocol  not the answer to the oldest frame; nothing changed
  Status on_answer(const wire::PublishAnswer& answer);

  // Answers everything with `error`.
  void fail_all(const Error& error);
  bool empty() const { return batches_.empty(); }

 private:
  struct Waiting {
    std::unique_ptr<EventBatch> batch;
    ListenerPtr listener;
    std::uint64_t token = 0;
    std::size_t bytes = 0;
    std::size_t sent = 0;  // events
    std::size_t answered = 0;
    std::vector<Status> results;  // empty as long as nothing is refused
  };
  struct Sent {
    std::size_t events = 0;
    std::size_t bytes = 0;
  };

  void apply(Waiting& waiting, const wire::Run& run);
  void answer_whole();
  void answer_first();

  std::atomic<std::size_t>& queued_bytes_;
  std::deque<Waiting> batches_;
  std::size_t sending_ = 0;         // index of the first batch not wholly sent
  std::deque<Sent> frames_;         // unanswered, in order
  std::uint64_t first_number_ = 1;  // of frames_.front()
  std::size_t unanswered_bytes_ = 0;
  std::size_t window_bytes_ = 0;
  std::size_t share_bytes_ = 0;  // of one frame; 0: no session
};

}  // namespace marram::client
