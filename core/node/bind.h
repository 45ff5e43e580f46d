// Binds a ZeroMQ socket to an address as people write it.
#pragma once

#include <string>
#include <zmq.hpp>

#include "core/base/result.h"

namespace marram {

// Answers the address as bound, its port filled in.  An ipc socket is for this user
// alone (0600); one that a dead process left behind is replaced.  `place` begins messages.
//
// Errors: Invalid  no endpoint that can be bound, or a file is in the way
//         Busy     another process answers there
//         Io       the system says no
Result<std::string> bind_socket(zmq::socket_t& socket, const std::string& place,
                                const std::string& endpoint);

}  // namespace marram
