// Values of Marram as Python objects: times, events, receipts.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/event/bus.h"

namespace marram::python {

// A datetime in UTC; times that Python cannot write become its first or last.
pybind11::object make_time(WallTime time);
// None for the zero time.
pybind11::object make_optional_time(WallTime time);
// Microseconds since 1970.  Raises marram.Invalid for a datetime without a zone.
WallTime read_time(pybind11::handle datetime);

// A marram.Event as handed out by `source`, a marram.Subscription.
pybind11::object make_event(const Delivery& delivery, pybind11::handle source);

// What publish_many() returns: rows that become marram.Receipt when asked for.
class Receipts {
 public:
  void add(const EventView& event);
  std::size_t size() const { return rows_.size(); }
  pybind11::object at(std::size_t index) const;  // marram.Receipt

 private:
  struct Row {
    Uuid uuid;
    std::string id;  // empty: `uuid` is the id
    Position position;
    WallTime recorded;
  };
  std::vector<Row> rows_;
};

}  // namespace marram::python
