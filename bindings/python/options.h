// The classes of _core that carry options.
#pragma once

#include <pybind11/pybind11.h>

namespace marram::python {

void define_options(pybind11::module_& module);

}  // namespace marram::python
