// Options as Python fills them in; durations are microseconds, names are strings.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "bindings/python/errors.h"
#include "bindings/python/objects.h"
#include "bindings/python/options.h"
#include "core/client/client.h"
#include "core/event/stream.h"
#include "core/node/node.h"
#include "gateway/mqtt/listener.h"

namespace py = pybind11;

namespace marram::python {

namespace {

template <class Options>
auto micros_property(Duration Options::* member) {
  return std::pair{
      [member](const Options& self) { return (self.*member).count(); },
      [member](Options& self, std::int64_t micros) { self.*member = Duration(micros); }};
}

void define_limits(py::module_& module) {
  py::class_<Limits>(module, "Limits")
      .def(py::init<>())
      .def_readwrite("topic_bytes_max", &Limits::topic_bytes_max)
      .def_readwrite("topic_levels_max", &Limits::topic_levels_max)
      .def_readwrite("filters_per_consumer_max", &Limits::filters_per_consumer_max)
      .def_readwrite("payload_bytes_max", &Limits::payload_bytes_max)
      .def_readwrite("headers_max", &Limits::headers_max)
      .def_readwrite("headers_bytes_max", &Limits::headers_bytes_max)
      .def_readwrite("key_bytes_max", &Limits::key_bytes_max)
      .def_readwrite("id_bytes_max", &Limits::id_bytes_max)
      .def_readwrite("name_bytes_max", &Limits::name_bytes_max)
      .def_readwrite("consumers_max", &Limits::consumers_max)
      .def_readwrite("frame_bytes_max", &Limits::frame_bytes_max)
      .def_readwrite("clients_max", &Limits::clients_max)
      .def_readwrite("queued_bytes_max", &Limits::queued_bytes_max)
      .def_readwrite("tail_bytes_max", &Limits::tail_bytes_max)
      .def_readwrite("in_flight_max", &Limits::in_flight_max)
      .def_readwrite("in_flight_bytes_max", &Limits::in_flight_bytes_max);
}

void set_priority(StreamOptions& self, const std::string& text) {
  if (text == "high")
    self.priority = Priority::High;
  else if (text == "normal")
    self.priority = Priority::Normal;
  else if (text == "low")
    self.priority = Priority::Low;
  else
    raise({Errc::Invalid, "stream: priority is \"" + text + "\" (write high, normal or low)"});
}

void set_on_full(StreamOptions& self, const std::string& text) {
  if (text == "reject")
    self.on_full = OnFull::Reject;
  else if (text == "drop-oldest")
    self.on_full = OnFull::DropOldest;
  else
    raise({Errc::Invalid, "stream: on_full is \"" + text + "\" (write reject or drop-oldest)"});
}

void define_streams(py::module_& module) {
  using Stream = StreamOptions;
  py::class_<Stream>(module, "StreamOptions")
      .def(py::init<>())
      .def_readwrite("name", &Stream::name)
      .def_readwrite("topics", &Stream::topics)
      .def("set_durability",
           [](Stream& self, const std::string& text) {
             self.durability = value(parse_durability(text));
           })
      .def("set_priority", &set_priority)
      .def("set_on_full", &set_on_full)
      .def("set_retain",
           [](Stream& self, std::optional<std::int64_t> age_micros,
              std::optional<std::uint64_t> bytes) {
             if (age_micros) self.retain.age = Duration(*age_micros);
             self.retain.bytes = bytes;
           })
      .def("set_ttl", [](Stream& self, std::int64_t micros) { self.ttl = Duration(micros); });
}

void define_node(py::module_& module) {
  using Mesh = MeshNodeOptions;
  py::class_<Mesh>(module, "MeshOptions")
      .def(py::init<>())
      .def_readwrite("listen", &Mesh::listen)
      .def_readwrite("peers", &Mesh::peers)
      .def_readwrite("advertise", &Mesh::advertise)
      .def_readwrite("key_file", &Mesh::key_file)
      .def_readwrite("trust", &Mesh::trust)
      .def_readwrite("trust_dir", &Mesh::trust_dir)
      .def_readwrite("insecure", &Mesh::insecure)
      .def_readwrite("carry", &Mesh::carry)
      .def_readwrite("beacon", &Mesh::beacon)
      .def_readwrite("beacon_group", &Mesh::beacon_group)
      .def_readwrite("beacon_interfaces", &Mesh::beacon_interfaces);

  py::class_<NodeOptions>(module, "NodeOptions")
      .def(py::init<>())
      .def_readwrite("name", &NodeOptions::name)
      .def_readwrite("data_dir", &NodeOptions::data_dir)
      .def_readwrite("streams", &NodeOptions::streams)
      .def("set_durability",
           [](NodeOptions& self, const std::string& text) {
             self.durability = value(parse_durability(text));
           })
      .def_readwrite("max_bytes", &NodeOptions::max_bytes)
      .def_readwrite("reserve_free_share", &NodeOptions::reserve_free_share)
      .def_readwrite("limits", &NodeOptions::limits)
      .def_readwrite("listen", &NodeOptions::listen)
      .def_readwrite("mesh", &NodeOptions::mesh);

  using Mqtt = mqtt::MqttOptions;
  py::class_<Mqtt>(module, "MqttOptions")
      .def(py::init<>())
      .def_readwrite("listen", &Mqtt::listen)
      .def_readwrite("users_file", &Mqtt::users_file)
      .def_readwrite("allow_anonymous", &Mqtt::allow_anonymous)
      .def("set_tls",
           [](Mqtt& self, std::string certificate, std::string key, std::string client_ca) {
             self.tls = {std::move(certificate), std::move(key), std::move(client_ca)};
           });

  using Client = ClientOptions;
  const auto connect_timeout = micros_property(&Client::connect_timeout);
  const auto silent_after = micros_property(&Client::silent_after);
  py::class_<Client>(module, "ClientOptions")
      .def(py::init<>())
      .def_readwrite("endpoint", &Client::endpoint)
      .def_readwrite("name", &Client::name)
      .def_property("connect_timeout", connect_timeout.first, connect_timeout.second)
      .def_property("silent_after", silent_after.first, silent_after.second)
      .def_readwrite("reconnect", &Client::reconnect);
}

void define_subscribe(py::module_& module) {
  using Subscribe = SubscribeOptions;
  const auto ack_wait = micros_property(&Subscribe::ack_wait);
  py::class_<Subscribe>(module, "SubscribeOptions")
      .def(py::init<>())
      .def_readwrite("filters", &Subscribe::filters)
      .def_readwrite("name", &Subscribe::name)
      .def("start_new", [](Subscribe& self) { self.start = Start{}; })
      .def("start_earliest", [](Subscribe& self) { self.start = Start{.at = Start::At::Earliest}; })
      .def("start_seq",
           [](Subscribe& self, std::uint64_t seq) {
             self.start = Start{.at = Start::At::Seq, .seq = seq};
           })
      .def("start_time",
           [](Subscribe& self, py::object time) {
             self.start = Start{.at = Start::At::Time, .time = read_time(time)};
           })
      .def_readwrite("in_flight_max", &Subscribe::in_flight_max)
      .def_readwrite("in_flight_bytes_max", &Subscribe::in_flight_bytes_max)
      .def_property("ack_wait", ack_wait.first, ack_wait.second)
      .def_readwrite("auto_settle", &Subscribe::auto_settle)
      .def_readwrite("take_over", &Subscribe::take_over);
}

}  // namespace

void define_options(py::module_& module) {
  define_limits(module);
  define_streams(module);
  define_node(module);
  define_subscribe(module);
}

}  // namespace marram::python
