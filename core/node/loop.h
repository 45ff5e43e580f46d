// The loop thread: a mailbox, timers, and whatever else wants to be polled.
//
// Tasks come from any thread and run in the order of post().  After a round of
// tasks the broker flushes (one cursor write, one hand-out a consumer, however
// many settlements there were), then the parts look at their sockets.
//
// Threads: post() from any thread; start() and stop() from the owner; the rest
// happens on the loop thread.
#pragma once

#include <functional>
#include <optional>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "core/base/clock.h"
#include "core/base/mailbox.h"

namespace marram {

class Broker;

// Something with sockets that lives on the loop thread, such as the endpoint for
// clients.
class LoopPart {
 public:
  virtual ~LoopPart() = default;
  // Appends what is to be polled; called before every poll.
  virtual void add_poll_items(std::vector<zmq::pollitem_t>& items) = 0;
  // Reads and writes what it can without waiting, a bounded amount.  Called after
  // every poll, whatever woke it, and after the tasks that came with it.  True when
  // there is more to do at once.
  virtual bool run(TimePoint now) = 0;
  // When run() is wanted next if nothing happens.
  virtual std::optional<TimePoint> wake_at() const = 0;
  // Last call on the loop thread, after all subscriptions have ended.
  virtual void stop() = 0;
};

class Loop {
 public:
  using Task = std::function<void()>;

  explicit Loop(const Clock& clock);
  ~Loop();  // stop() was called, or start() never

  // False, and the task is dropped, after stop().
  bool post(Task task) { return mailbox_.post(std::move(task)); }
  // The same, for a task that has time until wake(), or the next post().
  void post_quietly(Task task) { mailbox_.post_quietly(std::move(task)); }
  void wake() { mailbox_.wake(); }

  // `broker` and `parts` outlive stop().
  void start(Broker& broker, std::vector<LoopPart*> parts);
  // Runs what was posted before, then `last` on the loop thread, and joins it.
  void stop(Task last);

 private:
  void run();
  bool run_tasks();
  bool run_parts(TimePoint now);
  void poll(bool busy);

  const Clock& clock_;
  Mailbox<Task> mailbox_;
  std::vector<Task> tasks_;
  std::vector<zmq::pollitem_t> items_;
  Broker* broker_ = nullptr;
  std::vector<LoopPart*> parts_;
  Task last_;
  std::thread thread_;
};

}  // namespace marram
