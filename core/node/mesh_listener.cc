#include "core/node/mesh_listener.h"

#include <fmt/format.h>

#include <utility>

#include "core/node/bind.h"
#include "core/node/mesh_socket.h"

namespace marram {

namespace {

constexpr int kSocketsWaiting = 1024;

}  // namespace

Result<std::unique_ptr<MeshListener>> MeshListener::bind(zmq::context_t& context, Options options) {
  try {
    std::unique_ptr<MeshListener> listener(new MeshListener(context, std::move(options)));
    auto watched = listener->connections_.watch(context, listener->socket_, "mesh-listener-watch");
    if (!watched) return tl::unexpected(watched.error());
    for (const std::string& endpoint : listener->options_.listen) {
      auto bound = bind_socket(listener->socket_, "mesh", endpoint);
      if (!bound) return tl::unexpected(bound.error());
      listener->endpoints_.push_back(std::move(*bound));
    }
    return listener;
  } catch (const zmq::error_t& error) {
    return fail(Errc::Io, fmt::format("mesh: no socket to listen: {}", error.what()));
  }
}

MeshListener::MeshListener(zmq::context_t& context, Options options)
    : options_(std::move(options)),
      socket_(context, zmq::socket_type::router),
      connections_({.silent_max = options_.silent_max, .silent_for = options_.silent_for}) {
  set_mesh_options(socket_);
  socket_.set(zmq::sockopt::router_mandatory, true);
  socket_.set(zmq::sockopt::backlog, kSocketsWaiting);
  if (options_.key.public_key.empty()) return;
  socket_.set(zmq::sockopt::curve_server, true);
  socket_.set(zmq::sockopt::curve_secretkey, options_.key.secret_key);
  socket_.set(zmq::sockopt::zap_domain, "marram");
}

std::optional<MeshListener::Frame> MeshListener::receive() {
  zmq::message_t part;
  if (!socket_.recv(part, zmq::recv_flags::dontwait)) return {};
  Frame frame;
  frame.incoming.peer = part.to_string();
  for (bool more = part.more(), first = true; more; first = false) {
    (void)socket_.recv(part, zmq::recv_flags::dontwait);  // parts come together
    more = part.more();
    if (!first) continue;
    // Of the payload: on the part before it the properties are missing.
    frame.fd = zmq_msg_get(part.handle(), ZMQ_SRCFD);
    const char* const id = zmq_msg_gets(part.handle(), "User-Id");
    if (id != nullptr) frame.node_id = id;
    frame.incoming.frame = std::move(part);
    frame.incoming.whole = !more;
  }
  return frame;
}

Router::Sent MeshListener::send(const std::string& peer, zmq::message_t& frame) {
  try {
    const auto flags = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (!socket_.send(zmq::buffer(peer), flags)) return Router::Sent::Full;
    (void)socket_.send(frame, zmq::send_flags::dontwait);
    return Router::Sent::Yes;
  } catch (const zmq::error_t&) {
    return Router::Sent::Gone;  // EHOSTUNREACH
  }
}

void MeshListener::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  items.push_back({socket_.handle(), 0, ZMQ_POLLIN, 0});
  items.push_back({connections_.handle(), 0, ZMQ_POLLIN, 0});
}

}  // namespace marram
