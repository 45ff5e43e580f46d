// What an MQTT client can make grow, and how far: config keys under [mqtt.limits].
#pragma once

#include <chrono>
#include <cstddef>

namespace marram::mqtt {

struct MqttLimits {
  std::size_t connections_max = 10'000;
  std::size_t connections_per_address_max = 4'096;
  std::size_t sessions_max = 10'000;
  std::size_t packet_bytes_max = 8 << 20;
  std::size_t connect_bytes_max = 64 << 10;
  std::chrono::seconds connect_within{10};
  std::size_t receive_maximum = 1024;  // of ours, towards publishers
  std::chrono::seconds session_expiry_max{std::chrono::hours(24 * 30)};
  std::chrono::seconds keep_alive_max{0};       // 0: none; MQTT 5 is told with Server Keep Alive
  std::size_t unsent_bytes_max = 256 << 10;     // per connection, then its consumer waits
  std::size_t unfinished_bytes_max = 64 << 20;  // beginnings of packets, of all connections
  std::size_t in_flight_max = 1024;             // unacknowledged towards one subscriber
};

}  // namespace marram::mqtt
