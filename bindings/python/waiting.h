// Waiting without the GIL, in slices, so that Ctrl-C and close() are heard.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "core/base/clock.h"

namespace marram::python {

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

inline Deadline deadline_after(std::optional<std::int64_t> micros) {
  if (!micros) return {};
  return std::chrono::steady_clock::now() + Duration(*micros);
}

// Counts the calls that are in C++, so that the interpreter's end can wait for
// them: a thread that comes back after it has begun cannot get the GIL any more.
class InCall {
 public:
  explicit InCall(std::atomic<int>& calls) : calls_(calls) { ++calls_; }
  ~InCall() { --calls_; }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

 private:
  std::atomic<int>& calls_;
};

template <class Function>
auto without_gil(Function function) {
  const pybind11::gil_scoped_release release;
  return function();
}

// Calls attempt(until) without the GIL until it gives a value, the deadline has
// passed (then empty), or a signal handler of Python's raises.
template <class Attempt>
auto wait_in_slices(const Deadline& deadline, Attempt attempt)
    -> decltype(attempt(std::chrono::steady_clock::time_point())) {
  constexpr auto kSlice = std::chrono::milliseconds(50);
  for (;;) {
    const auto slice = std::chrono::steady_clock::now() + kSlice;
    const auto until = deadline ? std::min(*deadline, slice) : slice;
    auto got = without_gil([&] { return attempt(until); });
    if (got) return got;
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
    if (deadline && std::chrono::steady_clock::now() >= *deadline) return {};
  }
}

}  // namespace marram::python
