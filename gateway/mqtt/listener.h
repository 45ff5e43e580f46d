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

namespace marram::mqtt {

struct TlsOptions {
  std::string certificate_file;   // PEM, with the chain
  std::string key_file;
  std::string client_ca_file;     // not empty: clients must show a certificate of it
};

struct MqttLimits {
  std::size_t connections_max = 10'000;
  std::size_t connections_per_address_max = 4'096;
  std::size_t sessions_max = 10'000;
  std::size_t packet_bytes_max = 8 << 20;
  std::size_t connect_bytes_max = 64 << 10;
  std::chrono::seconds connect_within{10};
  std::size_t receive_maximum = 1024;          // of ours, towards publishers
  std::chrono::seconds session_expiry_max{std::chrono::hours(24 * 30)};
  std::chrono::seconds keep_alive_max{0};      // 0: none; MQTT 5 is told with Server Keep Alive
  std::size_t unsent_bytes_max = 256 << 10;    // per connection, then its reader waits
};

struct MqttOptions {
  std::vector<std::string> listen;   // mqtt://ADDRESS:PORT, mqtts://ADDRESS:PORT; port 0: any
  TlsOptions tls;
  std::string users_file;            // docs/mqtt.md; empty: nobody has a password
  bool allow_anonymous = false;      // beyond loopback; on loopback it is allowed
                                     // while there is no users_file
  MqttLimits limits;
  Log* log = nullptr;                // outlives the listener
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

  virtual std::vector<std::string> endpoints() const = 0;  // as bound
  virtual std::string report_json() = 0;                   // for status; any thread
  virtual void close() = 0;
};

}  // namespace marram::mqtt
