#include "core/node/router.h"

#include <fmt/format.h>

#include <utility>

#include "core/node/bind.h"
#include "core/wire/address.h"

namespace marram {

namespace {

constexpr std::size_t kCopiedBytes = 1024;  // up to here a copy costs less than a hand-over
constexpr int kSendFrames = 1000;           // of one peer in the library; bytes: the endpoint
constexpr int kLingerMillis = 100;          // for BYE

void free_string(void*, void* hint) { delete static_cast<std::string*>(hint); }

}  // namespace

zmq::message_t to_message(std::string frame) {
  if (frame.size() <= kCopiedBytes) return zmq::message_t(frame.data(), frame.size());
  auto* kept = new std::string(std::move(frame));
  return zmq::message_t(kept->data(), kept->size(), free_string, kept);
}

Result<std::unique_ptr<Router>> Router::bind(const std::vector<std::string>& endpoints,
                                             std::size_t frame_bytes_max,
                                             Connections::Options connections) {
  try {
    std::unique_ptr<Router> router(new Router(frame_bytes_max, connections));
    auto watched = router->connections_.watch(router->context_, router->socket_, "endpoint-watch");
    if (!watched) return tl::unexpected(watched.error());
    for (const std::string& endpoint : endpoints) {
      if (auto status = router->bind(endpoint); !status) return tl::unexpected(status.error());
    }
    return router;
  } catch (const zmq::error_t& error) {
    return fail(Errc::Io, fmt::format("endpoint: no socket: {}", error.what()));
  }
}

Router::Router(std::size_t frame_bytes_max, Connections::Options connections)
    : socket_(context_, zmq::socket_type::router), connections_(connections) {
  socket_.set(zmq::sockopt::router_mandatory, true);
  socket_.set(zmq::sockopt::linger, kLingerMillis);
  socket_.set(zmq::sockopt::handshake_ivl, 5000);
  socket_.set(zmq::sockopt::sndhwm, kSendFrames);
  // Twice the limit, so that a frame a bit over it gets its error.
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(2 * frame_bytes_max));
}

// The library's own thread waits for ever to tell of an event that nobody reads any
// more: it stops telling first.
Router::~Router() { connections_.stop(); }

Status Router::bind(const std::string& endpoint) {
  const auto address = wire::parse_address("endpoint", endpoint);
  if (!address) return tl::unexpected(address.error());
  if (!address->is_ipc() && !address->is_loopback()) {
    return fail(Errc::Refused, fmt::format("endpoint: {} is beyond loopback, where anybody could "
                                           "read and publish (use 127.0.0.1 or ipc://PATH)",
                                           endpoint));
  }
  auto bound = bind_socket(socket_, "endpoint", endpoint);
  if (!bound) return tl::unexpected(bound.error());
  endpoints_.push_back(std::move(*bound));
  return {};
}

std::optional<Router::Incoming> Router::receive() {
  zmq::message_t peer;
  if (!socket_.recv(peer, zmq::recv_flags::dontwait)) return {};
  Incoming incoming{.peer = peer.to_string(), .frame = {}};
  zmq::message_t part;
  for (bool more = peer.more(), first = true; more; first = false) {
    (void)socket_.recv(part, zmq::recv_flags::dontwait);  // parts come together
    more = part.more();
    if (first) {
      incoming.fd = zmq_msg_get(part.handle(), ZMQ_SRCFD);
      incoming.frame = std::move(part);
      incoming.whole = !more;
    }
  }
  return incoming;
}

Router::Sent Router::send(const std::string& peer, zmq::message_t& frame) {
  try {
    const auto flags = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (!socket_.send(zmq::buffer(peer), flags)) return Sent::Full;
    (void)socket_.send(frame, zmq::send_flags::dontwait);
    return Sent::Yes;
  } catch (const zmq::error_t&) {
    return Sent::Gone;  // EHOSTUNREACH
  }
}

void Router::add_poll_items(std::vector<zmq::pollitem_t>& items, bool input) {
  if (input) items.push_back({socket_.handle(), 0, ZMQ_POLLIN, 0});
  items.push_back({connections_.handle(), 0, ZMQ_POLLIN, 0});
}

}  // namespace marram
