// The codec: MQTT 3.1.1 and 5.0 packets, from bytes and to bytes.
//
// Pure, for both sides of a connection.  decode() gives views into the frame's
// bytes and says with a Reason what is wrong; encode() appends to the caller's
// buffer.  A PUBLISH allocates nothing.
//
//     Frame frame;
//     while (read_frame(bytes, max, frame) == FrameState::Ready) {
//       ... decode(frame, version, publish) ...
//       bytes.remove_prefix(frame.bytes);
//     }
#pragma once

#include "gateway/mqtt/connect.h"
#include "gateway/mqtt/control.h"
#include "gateway/mqtt/frame.h"
#include "gateway/mqtt/publish.h"
#include "gateway/mqtt/subscribe.h"
