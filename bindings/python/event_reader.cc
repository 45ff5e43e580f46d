#include "bindings/python/event_reader.h"

#include <fmt/format.h>
#include <pybind11/gil_safe_call_once.h>

#include <algorithm>

#include "bindings/python/errors.h"
#include "bindings/python/objects.h"

namespace py = pybind11;

namespace marram::python {

namespace {

constexpr std::size_t kBatchBytes = 1 << 20;

struct FieldNames {
  py::object event = py::module_::import("marram.events").attr("Event");
  py::str topic = intern("topic"), payload = intern("payload"), id = intern("id");
  py::str key = intern("key"), content_type = intern("content_type");
  py::str headers = intern("headers"), time = intern("time"), expires = intern("expires");

  static py::str intern(const char* text) {
    return py::reinterpret_steal<py::str>(PyUnicode_InternFromString(text));
  }
};

const FieldNames& names() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<FieldNames> storage;
  return storage.call_once_and_store_result([] { return FieldNames(); }).get_stored();
}

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

// The UTF-8 of a str, which keeps it for as long as it lives.
std::string_view text_of(py::handle text, const char* field) {
  if (!PyUnicode_Check(text.ptr())) {
    throw py::type_error(fmt::format("{}: give a str, not {}", field, type_name(text)));
  }
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (bytes == nullptr) throw py::error_already_set();
  return {bytes, static_cast<std::size_t>(size)};
}

// The bytes of a payload, for as long as this lives.
class PayloadBytes {
 public:
  explicit PayloadBytes(py::handle payload) {
    if (PyBytes_Check(payload.ptr())) {
      bytes_ = {PyBytes_AS_STRING(payload.ptr()),
                static_cast<std::size_t>(PyBytes_GET_SIZE(payload.ptr()))};
    } else if (PyUnicode_Check(payload.ptr())) {
      bytes_ = text_of(payload, "payload");
    } else if (PyObject_CheckBuffer(payload.ptr()) != 0) {
      if (PyObject_GetBuffer(payload.ptr(), &buffer_, PyBUF_SIMPLE) != 0) {
        throw py::error_already_set();
      }
      bytes_ = {static_cast<const char*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
    } else {
      throw py::type_error(
          fmt::format("payload: cannot publish {} (give bytes or str; or json= "
                      "to publish(), for what JSON can write)",
                      type_name(payload)));
    }
  }
  ~PayloadBytes() {
    if (buffer_.obj != nullptr) PyBuffer_Release(&buffer_);
  }
  PayloadBytes(const PayloadBytes&) = delete;
  PayloadBytes& operator=(const PayloadBytes&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  Py_buffer buffer_{};
  std::string_view bytes_;
};

void pack(py::handle headers, std::string& packed) {
  packed.clear();
  const py::object pairs = py::hasattr(headers, "items")
                               ? headers.attr("items")()
                               : py::reinterpret_borrow<py::object>(headers);
  for (const py::handle pair : pairs) {
    const auto both = py::reinterpret_borrow<py::sequence>(pair);
    if (!PySequence_Check(pair.ptr()) || PyUnicode_Check(pair.ptr()) || both.size() != 2) {
      throw py::type_error("headers: give a mapping, or pairs (name, value) of str");
    }
    const py::object name = both[0];
    const py::object value = both[1];
    check(append_header(packed, text_of(name, "headers"), text_of(value, "headers")));
  }
}

// What PyObject_GetAttr gives, as an object.
py::object field(py::handle event, const py::str& name) {
  PyObject* value = PyObject_GetAttr(event.ptr(), name.ptr());
  if (value == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(value);
}

bool is_empty(const py::object& container) {
  return PyTuple_CheckExact(container.ptr()) && PyTuple_GET_SIZE(container.ptr()) == 0;
}

// Adds the number of the item to an error about one of many.
[[noreturn]] void raise_in_item(std::size_t number, py::error_already_set& error) {
  const auto base = py::module_::import("marram.errors").attr("Error");
  if (!error.matches(base) && !error.matches(PyExc_TypeError)) throw error;
  const py::object type = error.type();
  const std::string text = fmt::format("event {}: {}", number, std::string(py::str(error.value())));
  PyErr_SetString(type.ptr(), text.c_str());
  throw py::error_already_set();
}

}  // namespace

void EventReader::add_payload(EventView& view, py::handle payload, EventBatch& batch) {
  const PayloadBytes bytes(payload);
  view.payload = bytes.bytes();
  check(check_event(view, limits_));
  batch.add(view, now_, ids_);
}

void EventReader::add_event(py::handle event, EventBatch& batch) {
  const FieldNames& fields = names();
  const py::object topic = field(event, fields.topic), id = field(event, fields.id);
  const py::object key = field(event, fields.key), type = field(event, fields.content_type);
  const py::object headers = field(event, fields.headers), time = field(event, fields.time);
  const py::object expires = field(event, fields.expires);
  EventView view;
  view.topic = text_of(topic, "topic");
  view.id = text_of(id, "id");
  view.key = text_of(key, "key");
  view.content_type = text_of(type, "content_type");
  if (!is_empty(headers)) {
    pack(headers, headers_);
    view.headers = headers_;
  }
  if (!time.is_none()) view.time = read_time(time);
  if (!expires.is_none()) view.expires = read_time(expires);
  add_payload(view, field(event, fields.payload), batch);
}

void EventReader::add(py::handle item, EventBatch& batch) {
  if (!topic_.empty()) {
    EventView view;
    view.topic = topic_;
    add_payload(view, item, batch);
  } else if (py::isinstance(item, names().event)) {
    add_event(item, batch);
  } else if (PyTuple_Check(item.ptr()) && PyTuple_GET_SIZE(item.ptr()) == 2) {
    EventView view;
    view.topic = text_of(PyTuple_GET_ITEM(item.ptr(), 0), "topic");
    add_payload(view, PyTuple_GET_ITEM(item.ptr(), 1), batch);
  } else {
    throw py::type_error(
        fmt::format("give a marram.Event or a tuple (topic, payload), not {} "
                    "(or payloads alone, with topic=...)",
                    type_name(item)));
  }
}

std::unique_ptr<EventBatch> EventReader::read(py::handle items, std::optional<std::size_t> first) {
  const std::size_t bytes_max = std::min(kBatchBytes, limits_.queued_bytes_max / 4);
  std::unique_ptr<EventBatch> batch;
  while (!batch || batch->bytes() < bytes_max) {
    const auto item = py::reinterpret_steal<py::object>(PyIter_Next(items.ptr()));
    if (!item) {
      if (PyErr_Occurred() != nullptr) throw py::error_already_set();
      break;
    }
    if (!batch) batch = std::make_unique<EventBatch>();
    try {
      add(item, *batch);
    } catch (py::error_already_set& error) {
      if (!first) throw;
      raise_in_item(*first + batch->size(), error);
    } catch (const py::type_error& error) {
      if (!first) throw;
      throw py::type_error(fmt::format("event {}: {}", *first + batch->size(), error.what()));
    }
  }
  return batch;
}

}  // namespace marram::python
