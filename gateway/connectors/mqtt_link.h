// One connection to an outside MQTT broker, from the dialling to its end.
//
// A link does not reconnect: when it is lost, make another one.  What happens
// comes as LinkEvents, in order.  Of all connectors only mqtt_link.cc knows Paho.
//
// Threads: Paho runs one to send and one to receive.  publish(), subscribe(),
// take() from one thread; `on_message` is called on the receiving one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/base/mailbox.h"
#include "core/base/result.h"
#include "gateway/connectors/mqtt_message.h"
#include "gateway/connectors/route.h"

namespace marram {

struct MqttLinkOptions {
  RouteTarget target;
  MqttVersion protocol = MqttVersion::V5;
  std::string client_id;
  std::string user;
  std::string password;
  RouteTls tls;
  bool clean_start = true;  // false: the broker keeps the session, for ever
  std::size_t in_flight = 100;
  std::chrono::seconds keep_alive{30};
  std::chrono::seconds connect_within{10};
};

struct LinkConnected {
  bool session_present = false;
  std::size_t receive_maximum = 65'535;
  std::size_t packet_bytes_max = 256 << 20;
};
// Never connected, or lost; the last event of a link.
struct LinkLost {
  bool was_connected = false;
  int code = 0;  // of CONNACK or DISCONNECT; 0: the network
  std::string text;
};
struct LinkAcked {
  std::uint64_t serial = 0;
};
struct LinkRefused {
  std::uint64_t serial = 0;
  int code = 0;  // of the PUBACK
};
struct LinkSubscribed {
  int code = 0;  // 0, or the first failure
};
using LinkEvent = std::variant<LinkConnected, LinkLost, LinkAcked, LinkRefused, LinkSubscribed>;

class MqttLink {
 public:
  // Takes a message of QoS 1, which is acknowledged when the call returns.
  using OnMessage = std::function<void(MqttMessage)>;

  // Starts to dial.  Errors: Io, Invalid  a file of the TLS options, an option
  static Result<std::unique_ptr<MqttLink>> dial(const MqttLinkOptions& options,
                                                OnMessage on_message);
  // Disconnects, without waiting for acknowledgements.
  virtual ~MqttLink() = default;

  // Answered by LinkAcked or LinkRefused, or by LinkLost for all.
  // Errors: Closed  the link is lost, or about to be
  virtual Status publish(std::uint64_t serial, MqttMessage message) = 0;
  // With QoS 1; answered by LinkSubscribed.  Errors: Closed
  virtual Status subscribe(const std::vector<std::string>& filters) = 0;

  // As of Mailbox.
  virtual bool take(std::vector<LinkEvent>& out) = 0;
  virtual int fd() const = 0;
};

}  // namespace marram
