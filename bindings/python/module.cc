// marram._core: nodes, clients and subscriptions, without the comforts of python/marram.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/python/core_bus.h"
#include "bindings/python/core_subscription.h"
#include "bindings/python/errors.h"
#include "bindings/python/objects.h"
#include "bindings/python/options.h"
#include "core/base/quantity.h"

namespace py = pybind11;

namespace marram::python {

namespace {

void define_values(py::module_& module) {
  module.attr("__version__") = MARRAM_VERSION;
  module.def("error_names", &error_names);
  module.def("parse_duration",
             [](const std::string& text) { return value(parse_duration(text)).count(); });
  module.def("parse_bytes", [](const std::string& text) { return value(parse_bytes(text)); });
  module.def("parse_share", [](const std::string& text) { return value(parse_share(text)); });
  module.def("parse_time", [](const std::string& text) {
    return make_time(value(parse_time(text, Clock::system().wall())));
  });

  py::class_<Receipts>(module, "Receipts").def("__len__", &Receipts::size).def("at", &Receipts::at);
  py::class_<Chunk>(module, "Chunk").def_readonly("size", &Chunk::size);

  py::class_<Gap>(module, "Gap")
      .def_readonly("log", &Gap::log)
      .def_readonly("first", &Gap::from)
      .def_readonly("last", &Gap::to)
      .def_readonly("reason", &Gap::reason);

  py::class_<ConsumerInfo>(module, "ConsumerInfo")
      .def_readonly("name", &ConsumerInfo::name)
      .def_readonly("filters", &ConsumerInfo::filters)
      .def_readonly("attached", &ConsumerInfo::attached)
      .def_readonly("backlog", &ConsumerInfo::backlog)
      .def_property_readonly("oldest",
                             [](const ConsumerInfo& self) {
                               return self.oldest ? make_time(*self.oldest) : py::none();
                             })
      .def_readonly("in_flight", &ConsumerInfo::in_flight)
      .def_readonly("redelivered", &ConsumerInfo::redelivered)
      .def_property_readonly("created",
                             [](const ConsumerInfo& self) { return make_time(self.created); });
}

void define_bus(py::module_& module) {
  py::class_<CoreBus, std::shared_ptr<CoreBus>>(module, "Bus")
      .def_static("open_node", &CoreBus::open_node)
      .def_static("connect", &CoreBus::connect)
      .def_property_readonly("name", &CoreBus::name)
      .def_property_readonly("id", &CoreBus::id)
      .def_property_readonly("endpoints", &CoreBus::endpoints)
      .def_property_readonly("mqtt_endpoints", &CoreBus::mqtt_endpoints)
      .def_property_readonly("mesh_endpoints", &CoreBus::mesh_endpoints)
      .def("publish", &CoreBus::publish)
      .def("publish_many", &CoreBus::publish_many)
      .def("reach", &CoreBus::reach)
      .def("read", &CoreBus::read)
      .def("submit", &CoreBus::submit)
      .def("fd", &CoreBus::fd)
      .def("take_answers", &CoreBus::take_answers)
      .def("subscribe", &CoreBus::subscribe)
      .def("consumers", &CoreBus::consumers)
      .def("remove_consumer", &CoreBus::remove_consumer)
      .def("status_json", &CoreBus::status_json)
      .def("close", &CoreBus::close)
      .def_property_readonly("closed", &CoreBus::closed)
      .def_property_readonly("forked", &CoreBus::forked)
      .def_property_readonly("calls", [](CoreBus& self) { return self.calls().load(); });

  py::class_<CoreSubscription>(module, "Subscription")
      .def("fill", &CoreSubscription::fill)
      .def("pop", &CoreSubscription::pop)
      .def("pop_many", &CoreSubscription::pop_many)
      .def("ack", &CoreSubscription::ack)
      .def("nack", &CoreSubscription::nack)
      .def("take_gaps", &CoreSubscription::take_gaps)
      .def("fd", &CoreSubscription::fd)
      .def("close", &CoreSubscription::close)
      .def_property_readonly("closed", &CoreSubscription::closed);
}

}  // namespace

}  // namespace marram::python

PYBIND11_MODULE(_core, module) {
  marram::python::define_values(module);
  marram::python::define_options(module);
  marram::python::define_bus(module);
}
