// What a stranger can make grow, and how far.
//
// Each limit has a config key of the same name under [limits]; refusals name
// both.  The defaults suit a gateway with 512 MB of memory.
#pragma once

#include <cstddef>

namespace marram {

struct Limits {
  std::size_t topic_bytes_max = 1024;
  std::size_t topic_levels_max = 64;
  std::size_t filters_per_consumer_max = 1000;
  std::size_t payload_bytes_max = 8 << 20;
  std::size_t headers_max = 64;
  std::size_t headers_bytes_max = 32 << 10;
  std::size_t key_bytes_max = 1024;
  std::size_t id_bytes_max = 256;
  std::size_t name_bytes_max = 256;  // consumers, routes, clients
  std::size_t consumers_max = 10'000;
  std::size_t frame_bytes_max = 16 << 20;     // client endpoint
  std::size_t clients_max = 256;              // client endpoint
  std::size_t queued_bytes_max = 64 << 20;    // accepted by the process, not yet stored
  std::size_t tail_bytes_max = 16 << 20;      // stored events kept in memory for readers
  std::size_t in_flight_max = 65'535;         // unsettled events of one consumer
  std::size_t in_flight_bytes_max = 8 << 20;  // their bytes, as handed to its reader
};

}  // namespace marram
