// Simulated MQTT devices for `marram demo` and `marram drill`: what a user's own
// device would do, with a real MQTT client library, each in a process of its own.
//
// A device publishes numbered readings at QoS 1, keeps a window of them
// unacknowledged, connects again when the connection is lost, and sends what was
// not acknowledged again, in order.  A collector subscribes and reports what came.
// Both speak MQTT 5 and report on `out`, a line at a time:
//
//     sent 20 acked 1 2 3 4        a device: the highest number sent, new acknowledgements
//     got dev-3 17                 a collector: device and number, in the order of arrival
//     up                           connected
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "core/base/result.h"

namespace marram {

struct DeviceOptions {
  std::string url;  // mqtt://HOST:PORT
  std::string client_id;
  std::string topic;
  std::uint64_t count = 0;  // readings; 0: until stdin ends
  double rate_per_s = 0;    // 0: as fast as the window allows
  std::size_t window = 20;  // unacknowledged readings
};

// Runs until all readings are acknowledged: `count` of them, or those sent when
// stdin ended.  Errors: Invalid  the URL
Status run_device(const DeviceOptions& options, std::ostream& out);

struct CollectorOptions {
  std::string url;
  std::string client_id;  // its session at the broker persists for an hour
  std::string filter;
};

// Runs until stdin ends.  Errors: Invalid  the URL
Status run_collector(const CollectorOptions& options, std::ostream& out);

}  // namespace marram
