// The MQTT listener: devices speak MQTT 3.1.1 and 5.0 to a Bus.
//
// One thread, Asio.  Bytes become packets (packet.h), packets go to a Session
// (session.h, which decides and never acts), its actions come back here.  A
// PUBACK goes out after the store's commit; a persistent session is a durable
// consumer "mqtt:<client id>": a cursor, no copy.
//
// Threads: open() and close() from any; the rest happens on the listener's own thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/event/bus.h"
#include "gateway/mqtt/channel.h"
#include "gateway/mqtt/mqtt_limits.h"

namespace marram::mqtt {

struct MqttOptions {
  std::vector<std::string> listen;  // mqtt://ADDRESS:PORT, mqtts://ADDRESS:PORT; port 0: any
  TlsOptions tls;
  std::string users_file;        // docs/mqtt.md; empty: nobody has a password
  bool allow_anonymous = false;  // beyond loopback; on loopback it is allowed
                                 // while there is no users_file
  MqttLimits limits;
  Log* log = nullptr;  // outlives the listener
};

class MqttListener {
 public:
  // Binds all or nothing.  `bus` outlives the listener.
  //
  // Errors: Config  beyond loopback without TLS and authentication, a broken users
  //                 file, a missing certificate: the message names the setting
  //         Io      cannot bind
  static Result<std::unique_ptr<MqttListener>> open(MqttOptions options, Bus& bus);
  virtual ~MqttListener() = default;  // closes

  // All that open() would refuse before it binds.  Errors: Config
  static Status check(const MqttOptions& options);

  virtual std::vector<std::string> endpoints() const = 0;  // as bound
  virtual std::string report_json() = 0;                   // for status; any thread
  // Reads users_file again, for connections to come; those there are stay as they are.
  // Errors: Config  the file is broken: the old users stay
  virtual Status reload_users() = 0;
  virtual void close() = 0;
};

}  // namespace marram::mqtt
