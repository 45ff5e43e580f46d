// Hands values from many threads to one, in batches.
//
// The only place in Marram that knows a mutex.  A post to a reader that is
// awake costs no system call: the eventfd is written only on the edge from
// idle to busy, and the reader is idle only after a take() that found nothing.
//
//     std::vector<Work> batch;
//     for (;;) {
//       while (box.take(batch)) for (Work& work : batch) handle(work);
//       poll(box.fd(), ...);
//     }
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace marram {

// An eventfd: a file descriptor that is readable after signal().
// Threads: signal() from any thread, the rest from the one that waits.
class Signal {
 public:
  Signal();
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void signal() const;
  void clear() const;
  // Waits until readable; no timeout waits for ever.  False when the time passed.
  bool wait(std::optional<std::chrono::microseconds> timeout) const;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Threads: post() and close() from any thread, take() and wait() from one.
template <class T>
class Mailbox {
 public:
  // False, and `item` is dropped, after close().
  bool post(T item) { return offer(item); }

  // As post(), but after close() `item` is left as it was.
  bool offer(T& item) {
    std::shared_ptr<const Signal> wake;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      items_.push_back(std::move(item));
      if (std::exchange(idle_, false)) wake = signal_;
    }
    // Without the lock, so that the reader does not wake up to wait for it; the
    // reader may have taken the item and destroyed the mailbox by now.
    if (wake) wake->signal();
    return true;
  }

  // As post(), but an idle reader sleeps on until wake(), or the next post().
  bool post_quietly(T item) {
    const std::lock_guard lock(mutex_);
    if (!closed_) items_.push_back(std::move(item));
    return !closed_;
  }

  void wake() {
    std::shared_ptr<const Signal> wake;
    {
      const std::lock_guard lock(mutex_);
      if (!items_.empty() && std::exchange(idle_, false)) wake = signal_;
    }
    if (wake) wake->signal();
  }

  // Swaps everything that waits into `out`, which is cleared first.  False when
  // there was nothing; only then does the next post() signal fd().  Wake-ups that
  // find nothing are possible.
  bool take(std::vector<T>& out) {
    out.clear();
    const std::lock_guard lock(mutex_);
    items_.swap(out);
    if (!out.empty()) return true;
    idle_ = !closed_;
    // Also when it was idle before: the signal of the last post may come late.
    if (!closed_) signal_->clear();
    return false;
  }

  // Waits for fd() to be readable.  False when the time passed.
  bool wait(std::optional<std::chrono::microseconds> timeout) { return signal_->wait(timeout); }

  // No more posts; what was posted can still be taken; fd() stays readable.
  void close() {
    std::shared_ptr<const Signal> wake;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      idle_ = false;
      wake = signal_;
    }
    wake->signal();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  // Closed, and all that was posted before has been taken: nothing comes any more.
  bool drained() const {
    const std::lock_guard lock(mutex_);
    return closed_ && items_.empty();
  }

  int fd() const { return signal_->fd(); }

 private:
  mutable std::mutex mutex_;
  std::vector<T> items_;
  bool idle_ = true;
  bool closed_ = false;
  std::shared_ptr<const Signal> signal_ = std::make_shared<const Signal>();
};

// One value, set once by another thread, which sees to it that this lives until
// set() has returned.
template <class T>
class Handoff {
 public:
  void set(T value) {
    {
      const std::lock_guard lock(mutex_);
      value_ = std::move(value);
    }
    // Without the lock, so that who waits does not wake up to wait for it.
    ready_.notify_one();
  }

  // Empty when the time passed first.
  std::optional<T> wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_until(lock, deadline, [&] { return value_.has_value(); })) return {};
    return std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<T> value_;
};

// A value that several threads read and change, each for a moment.
template <class T>
class Guarded {
 public:
  template <class Function>
  auto with(Function function) {
    const std::lock_guard lock(mutex_);
    return function(value_);
  }

 private:
  std::mutex mutex_;
  T value_{};
};

}  // namespace marram
