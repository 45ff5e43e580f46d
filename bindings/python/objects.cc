#include "bindings/python/objects.h"

#include <datetime.h>
#include <pybind11/gil_safe_call_once.h>

#include <chrono>

#include "bindings/python/errors.h"

namespace py = pybind11;

namespace marram::python {

namespace {

// The classes of marram.events and the names of their fields, looked up once.
struct EventNames {
  py::object event = py::module_::import("marram.events").attr("Event");
  py::object receipt = py::module_::import("marram.events").attr("Receipt");
  py::str topic = intern("topic"), payload = intern("payload"), id = intern("id");
  py::str key = intern("key"), content_type = intern("content_type");
  py::str headers = intern("headers"), client = intern("client"), time = intern("time");
  py::str expires = intern("expires"), recorded = intern("recorded"), log = intern("log");
  py::str seq = intern("seq"), attempt = intern("attempt"), source = intern("_source");
  py::str level = intern("level"), pending = intern("pending"), stored = intern("stored");
  py::str nothing = intern("");
  py::tuple no_headers;

  static py::str intern(const char* text) {
    return py::reinterpret_steal<py::str>(PyUnicode_InternFromString(text));
  }
};

const EventNames& names() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<EventNames> storage;
  return storage.call_once_and_store_result([] { return EventNames(); }).get_stored();
}

py::object steal(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

py::object make_text(std::string_view text) {
  if (text.empty()) return names().nothing;
  return steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

py::object make_uuid(const Uuid& uuid) {
  PyObject* text = PyUnicode_New(36, 127);
  if (text == nullptr) throw py::error_already_set();
  auto* out = reinterpret_cast<char*>(PyUnicode_1BYTE_DATA(text));
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = "0123456789abcdef"[uuid.bytes[i] >> 4];
    *out++ = "0123456789abcdef"[uuid.bytes[i] & 15];
  }
  return py::reinterpret_steal<py::object>(text);
}

py::object make_headers(std::string_view packed) {
  if (packed.empty()) return names().no_headers;
  py::list pairs;
  HeaderReader reader(packed);
  while (const auto pair = reader.next()) {
    pairs.append(py::make_tuple(make_text(pair->first), make_text(pair->second)));
  }
  return py::tuple(pairs);
}

// Fills the slots of frozen dataclasses, as object.__setattr__ would.
class SlotFiller {
 public:
  explicit SlotFiller(const py::object& type)
      : object_(steal(PyType_GenericAlloc(reinterpret_cast<PyTypeObject*>(type.ptr()), 0))) {}

  SlotFiller& set(const py::str& name, const py::object& value) {
    if (PyObject_GenericSetAttr(object_.ptr(), name.ptr(), value.ptr()) != 0) {
      throw py::error_already_set();
    }
    return *this;
  }
  SlotFiller& set(const py::str& name, std::uint64_t value) {
    return set(name, steal(PyLong_FromUnsignedLongLong(value)));
  }
  py::object done() { return std::move(object_); }

 private:
  py::object object_;
};

void load_datetime() {
  if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
  if (PyDateTimeAPI == nullptr) throw py::error_already_set();
}

WallTime utc_fields(PyObject* datetime) {
  const std::chrono::year_month_day date{
      std::chrono::year(PyDateTime_GET_YEAR(datetime)),
      std::chrono::month(static_cast<unsigned>(PyDateTime_GET_MONTH(datetime))),
      std::chrono::day(static_cast<unsigned>(PyDateTime_GET_DAY(datetime)))};
  return WallTime(std::chrono::sys_days(date)) +
         std::chrono::hours(PyDateTime_DATE_GET_HOUR(datetime)) +
         std::chrono::minutes(PyDateTime_DATE_GET_MINUTE(datetime)) +
         std::chrono::seconds(PyDateTime_DATE_GET_SECOND(datetime)) +
         std::chrono::microseconds(PyDateTime_DATE_GET_MICROSECOND(datetime));
}

}  // namespace

py::object make_time(WallTime time) {
  load_datetime();
  constexpr WallTime kFirst = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
  constexpr WallTime kLast =
      std::chrono::sys_days(std::chrono::year(10000) / 1 / 1) - std::chrono::microseconds(1);
  time = std::clamp(time, kFirst, kLast);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return steal(PyDateTimeAPI->DateTime_FromDateAndTime(
      static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
      static_cast<int>(static_cast<unsigned>(date.day())), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()), PyDateTime_TimeZone_UTC,
      PyDateTimeAPI->DateTimeType));
}

py::object make_optional_time(WallTime time) {
  return time == WallTime() ? py::none() : make_time(time);
}

WallTime read_time(py::handle datetime) {
  load_datetime();
  if (!PyDateTime_Check(datetime.ptr())) throw py::type_error("time: give a datetime with a zone");
  PyObject* zone = PyDateTime_DATE_GET_TZINFO(datetime.ptr());
  if (zone == PyDateTime_TimeZone_UTC) return utc_fields(datetime.ptr());
  if (zone == Py_None) {
    raise({Errc::Invalid,
           "time: a datetime without a time zone could mean any of 24 hours (write "
           "datetime.now(UTC), or call astimezone() on a local time)"});
  }
  const auto utc = py::reinterpret_borrow<py::object>(PyDateTime_TimeZone_UTC);
  return utc_fields(datetime.attr("astimezone")(utc).ptr());
}

py::object make_event(const Delivery& delivery, py::handle source) {
  const EventView& event = *delivery.event;
  const EventNames& fields = names();
  SlotFiller filler(fields.event);
  filler.set(fields.topic, make_text(event.topic))
      .set(fields.payload,
           steal(PyBytes_FromStringAndSize(event.payload.data(),
                                           static_cast<Py_ssize_t>(event.payload.size()))))
      .set(fields.id, event.id.empty() ? make_uuid(event.uuid) : make_text(event.id))
      .set(fields.key, make_text(event.key))
      .set(fields.content_type, make_text(event.content_type))
      .set(fields.headers, make_headers(event.headers))
      .set(fields.client, make_text(event.client))
      .set(fields.time, make_time(event.time))
      .set(fields.expires, make_optional_time(event.expires))
      .set(fields.recorded, make_time(event.recorded))
      .set(fields.log, event.position.log())
      .set(fields.seq, event.position.seq())
      .set(fields.attempt, delivery.attempt)
      .set(fields.source, py::reinterpret_borrow<py::object>(source));
  return filler.done();
}

void Receipts::add(const EventView& event) {
  rows_.push_back({event.uuid, std::string(event.id), event.position, event.recorded});
}

py::object Receipts::at(std::size_t index) const {
  const Row& row = rows_.at(index);
  const EventNames& fields = names();
  SlotFiller filler(fields.receipt);
  filler.set(fields.id, row.id.empty() ? make_uuid(row.uuid) : make_text(row.id))
      .set(fields.log, row.position.log())
      .set(fields.seq, row.position.seq())
      .set(fields.recorded, make_time(row.recorded))
      .set(fields.level, fields.stored)
      .set(fields.pending, py::bool_(false));
  return filler.done();
}

}  // namespace marram::python
