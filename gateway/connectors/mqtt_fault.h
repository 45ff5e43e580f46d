// What the codes of an outside MQTT broker mean for a route (docs/routes.md).
#pragma once

#include <string>

namespace marram {

enum class FaultKind {
  Retry,   // the network, or a broker that is busy: try again soon
  Poison,  // this one event will never be taken
  Auth,    // the route as a whole is refused: pause, raise an alarm, try again slowly
};

// "retry", "poison", "auth".
const char* name(FaultKind kind);

// A connection that did not come about: `code` is the CONNACK's, of either
// protocol version; zero and less are failures of the network or of TLS.
FaultKind connect_fault(int code);

// A PUBACK of MQTT 5 with a reason code from 0x80 on.
FaultKind publish_fault(int code);

// A connection that is gone: the code of the broker's DISCONNECT, or 0.  Poison
// means that one of the events in flight is to blame.
FaultKind lost_fault(int code);

// A SUBACK with a failure.
FaultKind subscribe_fault(int code);

// "not authorized (0x87)".
std::string mqtt_code_text(int code);

}  // namespace marram
