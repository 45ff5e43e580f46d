#include "core/base/mailbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "core/base/assert.h"

namespace marram {

Signal::Signal() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MARRAM_ASSERT(fd_ >= 0, "the process may open another file descriptor");
}

Signal::~Signal() { ::close(fd_); }

void Signal::signal() const {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is full, so that the descriptor is readable.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void Signal::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

bool Signal::wait(std::optional<std::chrono::microseconds> timeout) const {
  const auto deadline =
      std::chrono::steady_clock::now() + timeout.value_or(std::chrono::microseconds{0});
  for (;;) {
    timespec left{};
    if (timeout) {
      const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(
          deadline - std::chrono::steady_clock::now());
      const auto count = nanos.count() > 0 ? nanos.count() : 0;
      left = {.tv_sec = count / 1'000'000'000, .tv_nsec = count % 1'000'000'000};
    }
    pollfd wanted{.fd = fd_, .events = POLLIN, .revents = 0};
    const int ready = ::ppoll(&wanted, 1, timeout ? &left : nullptr, nullptr);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

}  // namespace marram
