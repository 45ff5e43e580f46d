// What all ZeroMQ sockets of links have in common.
#pragma once

#include <chrono>
#include <string>
#include <zmq.hpp>

#include "core/base/result.h"

namespace marram {

// Of a socket, until the last frame of a session that is given up has gone out.
inline constexpr auto kMeshLinger = std::chrono::milliseconds(200);

// Before it binds or connects.  The library's heartbeats stay off (they abort the process
// when a queue is full), as do its reconnects.
void set_mesh_options(zmq::socket_t& socket);

// Whether only this machine can be at the other end of `address`.  Errors: Invalid  no address
Result<bool> stays_on_machine(const std::string& place, const std::string& address);

}  // namespace marram
