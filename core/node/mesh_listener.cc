#include "core/node/mesh_listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "core/base/quantity.h"
#include "core/node/bind.h"
#include "core/node/mesh_socket.h"

namespace marram {

namespace {

constexpr int kReceiveFrames = 256;  // of one peer in the library, before its connection waits
constexpr int kSocketsWaiting = 1024;

// The other end of a connection, for people.
std::string address_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(fd, any, &size) != 0) return "an address unknown";
  if (address.ss_family == AF_UNIX) return "this machine";
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(any, size, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an address unknown";
  }
  const bool v6 = address.ss_family == AF_INET6;
  return v6 ? fmt::format("[{}]:{}", host.data(), port.data())
            : fmt::format("{}:{}", host.data(), port.data());
}

}  // namespace

Result<std::unique_ptr<MeshListener>> MeshListener::bind(zmq::context_t& context, Options options) {
  constexpr int kWatched = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  try {
    std::unique_ptr<MeshListener> listener(new MeshListener(context, std::move(options)));
    auto watched =
        listener->watch_.watch(context, listener->socket_, "mesh-listener-watch", kWatched);
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
    : options_(std::move(options)), socket_(context, zmq::socket_type::router) {
  set_mesh_options(socket_);
  socket_.set(zmq::sockopt::router_mandatory, true);
  socket_.set(zmq::sockopt::rcvhwm, kReceiveFrames);
  socket_.set(zmq::sockopt::backlog, kSocketsWaiting);
  if (options_.key.public_key.empty()) return;
  socket_.set(zmq::sockopt::curve_server, true);
  socket_.set(zmq::sockopt::curve_secretkey, options_.key.secret_key);
  socket_.set(zmq::sockopt::zap_domain, "marram");
}

std::vector<MeshListener::Ended> MeshListener::watch(TimePoint now) {
  now_ = now;
  take_events();
  while (!silent_.empty()) {
    const int oldest = silent_.begin()->second;
    Connection& connection = connections_.at(oldest);
    const bool late = now - connection.accepted >= options_.silent_for;
    if (!late && silent_.size() <= options_.silent_max) break;
    connection.why =
        late ? HandshakeFailure{"silent", fmt::format("it said nothing for {}",
                                                      duration_text(options_.silent_for))}
             : HandshakeFailure{"too_many", "too many connections have said nothing yet"};
    silent_.erase(silent_.begin());
    connection.serial = 0;
    cut(oldest);
  }
  return std::exchange(ended_, {});
}

void MeshListener::take_events() {
  while (const auto event = watch_.next()) {
    const int fd = static_cast<int>(event->value);
    if (event->what == ZMQ_EVENT_ACCEPTED) {
      end(fd);  // should its end have been missed
      failure_ = {};
      connections_[fd] = {address_of(fd), now_, ++serial_, {}, false};
      silent_.emplace(serial_, fd);
    } else if (event->what == ZMQ_EVENT_DISCONNECTED) {
      end(fd);
      failure_ = {};
    } else if (event->what != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
      failure_ = handshake_failure(*event);
    }
  }
}

void MeshListener::end(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (connection.serial != 0) silent_.erase(connection.serial);
  if (connection.why.reason.empty() && !connection.spoke) connection.why = failure_;
  ended_.push_back(
      {fd, std::move(connection.address), std::move(connection.why), connection.spoke});
  connections_.erase(found);
}

std::optional<TimePoint> MeshListener::wake_at() const {
  if (!ended_.empty()) return now_;
  if (silent_.empty()) return {};
  return connections_.at(silent_.begin()->second).accepted + options_.silent_for;
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

std::optional<std::string> MeshListener::spoke(int fd) {
  take_events();
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return {};
  Connection& connection = found->second;
  if (connection.serial != 0) silent_.erase(std::exchange(connection.serial, 0));
  connection.spoke = true;
  return connection.address;
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

// The number may have been given to another connection since: not before its end was told.
void MeshListener::cut(int fd) {
  take_events();
  if (connections_.contains(fd)) ::shutdown(fd, SHUT_RDWR);
}

void MeshListener::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  items.push_back({socket_.handle(), 0, ZMQ_POLLIN, 0});
  items.push_back({watch_.handle(), 0, ZMQ_POLLIN, 0});
}

}  // namespace marram
