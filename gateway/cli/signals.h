// Signals as something to wait for, next to sockets.
//
// Make it before the first thread starts: threads inherit that the signals are
// blocked, so that they reach nobody but this object's reader.
//
// Threads: the one that made it.
#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>

namespace marram::cli {

class SignalQueue {
 public:
  explicit SignalQueue(std::initializer_list<int> signals);
  ~SignalQueue();  // the signals are as before, those not taken are dropped
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  // Readable when take() has something.
  int fd() const { return fd_; }
  // The next signal; empty when there is none.
  std::optional<int> take() const;

 private:
  sigset_t before_;
  int fd_;
};

}  // namespace marram::cli
