#include "gateway/cli/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/assert.h"

namespace marram::cli {

SignalQueue::SignalQueue(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  MARRAM_ASSERT(fd_ >= 0, "a signalfd can be had at start");
}

SignalQueue::~SignalQueue() {
  // What nobody took would end the process as soon as it is not blocked any more.
  while (take()) {
  }
  ::close(fd_);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> SignalQueue::take() const {
  signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return {};
  return static_cast<int>(info.ssi_signo);
}

}  // namespace marram::cli
