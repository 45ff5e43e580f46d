// Errors of Marram as Python exceptions: one class per Errc, all under marram.Error.
#pragma once

#include <pybind11/pybind11.h>

#include <utility>

#include "core/base/result.h"

namespace marram::python {

// The exception of `error`'s class, not raised.
pybind11::object exception(const Error& error);

[[noreturn]] void raise(const Error& error);

inline void check(const Status& status) {
  if (!status) raise(status.error());
}

template <class T>
T value(Result<T>&& result) {
  if (!result) raise(result.error());
  return std::move(*result);
}

// The names of all codes, in order, for the test that holds the classes to them.
pybind11::list error_names();

}  // namespace marram::python
