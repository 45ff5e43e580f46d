#include "core/node/mesh_socket.h"

#include "core/wire/address.h"
#include "core/wire/link_frames.h"

namespace marram {

namespace {

// In the library, of one peer: what is there nothing can overtake any more.
constexpr int kSendFrames = 32;
// The same the other way, before the connection waits: a peer may send more than the loop reads.
constexpr int kReceiveFrames = 256;
constexpr int kHandshakeMillis = 5000;

}  // namespace

void set_mesh_options(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::linger, static_cast<int>(kMeshLinger.count()));
  socket.set(zmq::sockopt::handshake_ivl, kHandshakeMillis);
  socket.set(zmq::sockopt::sndhwm, kSendFrames);
  socket.set(zmq::sockopt::rcvhwm, kReceiveFrames);
  // Twice the limit, so that a frame a bit over it gets its error.
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(2 * wire::kLinkFrameBytesMax));
}

Result<bool> stays_on_machine(const std::string& place, const std::string& address) {
  const auto parsed = wire::parse_address(place, address);
  if (!parsed) return tl::unexpected(parsed.error());
  return parsed->is_ipc() || parsed->is_loopback();
}

}  // namespace marram
