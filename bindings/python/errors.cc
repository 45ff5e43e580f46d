#include "bindings/python/errors.h"

namespace py = pybind11;

namespace marram::python {

py::object exception(const Error& error) {
  const py::object classes = py::module_::import("marram.errors").attr("BY_CODE");
  const auto code = name(error.code);
  return classes[py::str(code.data(), code.size())](error.message);
}

void raise(const Error& error) {
  const py::object raised = exception(error);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised.ptr())), raised.ptr());
  throw py::error_already_set();
}

py::list error_names() {
  py::list names;
  for (int code = 0; code <= static_cast<int>(Errc::Forked); ++code) {
    const auto text = name(static_cast<Errc>(code));
    names.append(py::str(text.data(), text.size()));
  }
  return names;
}

}  // namespace marram::python
