// Proves, before anything starts, that a stranger's key is refused.
//
// Threads: the one that opens the transport.
#pragma once

#include <string>
#include <zmq.hpp>

#include "core/base/result.h"
#include "core/node/mesh_listener.h"
#include "core/node/zap.h"

namespace marram {

// Dials every endpoint of the listener, which has `listen_key`, with a key made for it.
//
// Errors: Refused  it was let in: the listener must not run
//         Io       the listener did not answer, so nothing is proved
Status prove_strangers_refused(zmq::context_t& context, MeshListener& listener, Zap& zap,
                               const std::string& listen_key);

}  // namespace marram
