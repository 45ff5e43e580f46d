#include "core/node/loop.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/node/broker.h"

namespace marram {

Loop::Loop(const Clock& clock) : clock_(clock) {}

Loop::~Loop() { MARRAM_ASSERT(!thread_.joinable(), "a loop that was started has been stopped"); }

void Loop::start(Broker& broker, std::vector<LoopPart*> parts) {
  broker_ = &broker;
  parts_ = std::move(parts);
  thread_ = std::thread([this] { run(); });
}

void Loop::stop(Task last) {
  last_ = std::move(last);
  mailbox_.close();
  if (thread_.joinable()) thread_.join();
}

void Loop::run() {
  for (;;) {
    const bool busy = run_tasks();
    if (!busy && mailbox_.drained()) break;
    const TimePoint now = clock_.now();
    if (const auto wake = broker_->wake_at(); wake && *wake <= now) broker_->on_tick();
    poll(run_parts(now) || busy);
  }
  if (last_) last_();
  for (LoopPart* const part : parts_) part->stop();
}

// A round of what was posted.  False when there was nothing; only then does the
// next post wake a poll.
bool Loop::run_tasks() {
  if (!mailbox_.take(tasks_)) return false;
  for (const Task& task : tasks_) task();
  tasks_.clear();
  broker_->flush();
  return true;
}

bool Loop::run_parts(TimePoint now) {
  bool busy = false;
  for (LoopPart* const part : parts_) busy = part->run(now) || busy;
  return busy;
}

void Loop::poll(bool busy) {
  items_.clear();
  items_.push_back({nullptr, mailbox_.fd(), ZMQ_POLLIN, 0});
  for (LoopPart* const part : parts_) part->add_poll_items(items_);
  if (busy && parts_.empty()) return;
  auto timeout = std::chrono::milliseconds(busy ? 0 : -1);
  const auto until = [&](std::optional<TimePoint> wake) {
    if (!wake) return;
    // Rounded up: a little late is better than many times too early.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - clock_.now());
    const auto wait = std::max(left, std::chrono::milliseconds(0));
    timeout = timeout.count() < 0 ? wait : std::min(timeout, wait);
  };
  until(broker_->wake_at());
  for (LoopPart* const part : parts_) until(part->wake_at());
  // It fails where a signal handler ran.
  (void)zmq_poll(items_.data(), static_cast<int>(items_.size()),
                 static_cast<long>(timeout.count()));
}

}  // namespace marram
