#include "core/node/dialler.h"

#include <fmt/format.h>

#include <cerrno>

#include "core/node/mesh_socket.h"

namespace marram {

Result<std::unique_ptr<Dialler>> Dialler::connect(zmq::context_t& context, const Options& options) {
  constexpr int kWatched = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                           ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_CLOSED |
                           ZMQ_EVENT_DISCONNECTED;
  try {
    std::unique_ptr<Dialler> dialler(new Dialler(context));
    zmq::socket_t& socket = dialler->socket_;
    set_mesh_options(socket);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::ipv6, options.address.find('[') != std::string::npos);
    if (!options.own_key.public_key.empty()) {
      socket.set(zmq::sockopt::curve_publickey, options.own_key.public_key);
      socket.set(zmq::sockopt::curve_secretkey, options.own_key.secret_key);
      socket.set(zmq::sockopt::curve_serverkey, options.listen_key);
    }
    auto watched = dialler->watch_.watch(context, socket, options.name, kWatched);
    if (!watched) return tl::unexpected(watched.error());
    socket.connect(options.address);
    return dialler;
  } catch (const zmq::error_t& error) {
    const bool theirs = error.num() == EINVAL || error.num() == EPROTONOSUPPORT;
    return fail(theirs ? Errc::Invalid : Errc::Io,
                fmt::format("mesh: cannot dial {}: {}", options.address, error.what()));
  }
}

Dialler::State Dialler::state() {
  while (const auto event = watch_.next()) {
    switch (event->what) {
      case ZMQ_EVENT_CONNECTED:
        reached_ = true;
        break;
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        state_ = State::Up;
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        state_ = State::Refused;
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        if (state_ == State::Connecting) state_ = State::Unproved;
        why_ = handshake_failure(*event).text;
        break;
      default:
        // After a failed handshake its outcome stays.
        if (state_ == State::Up) why_ = "the connection is gone";
        if (state_ == State::Up || state_ == State::Connecting) state_ = State::Gone;
    }
  }
  return state_;
}

std::optional<Router::Incoming> Dialler::receive() {
  zmq::message_t part;
  if (!socket_.recv(part, zmq::recv_flags::dontwait)) return {};
  Router::Incoming incoming{.peer = {}, .frame = std::move(part)};
  bool more = incoming.frame.more();
  incoming.whole = !more;
  while (more) {
    (void)socket_.recv(part, zmq::recv_flags::dontwait);
    more = part.more();
  }
  return incoming;
}

Router::Sent Dialler::send(zmq::message_t& frame) {
  try {
    const bool taken = socket_.send(frame, zmq::send_flags::dontwait).has_value();
    return taken ? Router::Sent::Yes : Router::Sent::Full;
  } catch (const zmq::error_t&) {
    return Router::Sent::Gone;
  }
}

void Dialler::add_poll_items(std::vector<zmq::pollitem_t>& items, bool waiting) {
  const short wanted = waiting ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;
  items.push_back({socket_.handle(), 0, wanted, 0});
  items.push_back({watch_.handle(), 0, ZMQ_POLLIN, 0});
}

}  // namespace marram
