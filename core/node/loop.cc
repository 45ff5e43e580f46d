#include "core/node/loop.h"

#include <algorithm>
#include <chrono>

#include "core/base/assert.h"
#include "core/node/broker.h"

namespace marram {

Loop::Loop(const Clock& clock) : clock_(clock) {}

Loop::~Loop() { MARRAM_ASSERT(!thread_.joinable(), "a loop is stopped before it is destroyed"); }

void Loop::start(Broker& broker, std::vector<LoopPart*> parts) {
  broker_ = &broker;
  parts_ = std::move(parts);
  thread_ = std::thread([this] { run(); });
}

void Loop::stop(Task last) {
  if (!thread_.joinable()) return;
  mailbox_.post([this, last = std::move(last)] {
    last();
    stopping_ = true;
  });
  mailbox_.close();
  thread_.join();
}

void Loop::run() {
  while (!stopping_) {
    run_tasks();
    const TimePoint now = clock_.now();
    if (const auto at = broker_->wake_at(); at && *at <= now) broker_->on_tick();
    broker_->flush();
    const bool busy = run_parts(now);
    broker_->flush();
    if (!stopping_) poll(busy);
  }
  for (LoopPart* part : parts_) part->stop();
}

void Loop::run_tasks() {
  if (!mailbox_.take(tasks_)) return;
  for (const Task& task : tasks_) task();
  tasks_.clear();
}

bool Loop::run_parts(TimePoint now) {
  bool busy = false;
  for (LoopPart* part : parts_) busy = part->run(now) || busy;
  return busy;
}

void Loop::poll(bool busy) {
  items_.assign(1, {nullptr, mailbox_.fd(), ZMQ_POLLIN, 0});
  std::optional<TimePoint> wake = broker_->wake_at();
  for (LoopPart* part : parts_) {
    part->add_poll_items(items_);
    if (const auto at = part->wake_at()) wake = std::min(wake.value_or(*at), *at);
  }
  // Posts signal only after a take() that found nothing.
  if (busy || mailbox_.take(tasks_)) {
    for (const Task& task : tasks_) task();
    tasks_.clear();
    return;
  }
  std::chrono::milliseconds timeout{-1};
  if (wake) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - clock_.now());
    timeout = std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(60'000));
  }
  try {
    zmq::poll(items_, timeout);
  } catch (const zmq::error_t&) {
    // EINTR: a signal was handled on this thread.
  }
}

}  // namespace marram
