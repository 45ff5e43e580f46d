#include "core/client/connection.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace marram::client {

namespace {

constexpr std::size_t kCopiedBytes = 1024;  // up to here a copy costs less than a hand-over

void free_string(void*, void* hint) { delete static_cast<std::string*>(hint); }

zmq::message_t to_message(std::string frame) {
  if (frame.size() <= kCopiedBytes) return zmq::message_t(frame.data(), frame.size());
  auto* kept = new std::string(std::move(frame));
  return zmq::message_t(kept->data(), kept->size(), free_string, kept);
}

}  // namespace

Connection::Connection(std::string endpoint, std::size_t frame_bytes_max)
    : endpoint_(std::move(endpoint)), frame_bytes_max_(frame_bytes_max) {}

Connection::~Connection() { hang_up(); }

Status Connection::dial() {
  hang_up();
  try {
    zmq::socket_t& dealer = dealer_.emplace(context_, zmq::socket_type::dealer);
    dealer.set(zmq::sockopt::linger, 0);
    dealer.set(zmq::sockopt::reconnect_ivl, -1);
    dealer.set(zmq::sockopt::handshake_ivl, 5000);
    dealer.set(zmq::sockopt::sndhwm, 0);  // bounded by the windows
    dealer.set(zmq::sockopt::rcvhwm, 0);
    dealer.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(frame_bytes_max_));
    if (endpoint_.find('[') != std::string::npos) dealer.set(zmq::sockopt::ipv6, true);
    const std::string watch = fmt::format("inproc://watch-{}", ++dials_);
    const int ends = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
                     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    if (zmq_socket_monitor(dealer.handle(), watch.c_str(), ends) != 0) {
      dealer_.reset();
      return fail(Errc::Io, fmt::format("client: cannot watch the connection to {}: {}", endpoint_,
                                        zmq_strerror(errno)));
    }
    monitor_.emplace(context_, zmq::socket_type::pair);
    monitor_->set(zmq::sockopt::linger, 0);
    monitor_->set(zmq::sockopt::rcvhwm, 0);
    monitor_->connect(watch);
    dealer.connect(endpoint_);
  } catch (const zmq::error_t& error) {
    hang_up();
    const bool theirs = error.num() == EINVAL || error.num() == EPROTONOSUPPORT;
    return fail(theirs ? Errc::Invalid : Errc::Io,
                fmt::format("client: cannot connect to {}: {}", endpoint_, error.what()));
  }
  return {};
}

// The library's own thread waits for ever to tell of an event that nobody reads any
// more: it stops telling first.
void Connection::hang_up() {
  if (dealer_) zmq_socket_monitor(dealer_->handle(), nullptr, 0);
  dealer_.reset();
  monitor_.reset();
}

bool Connection::lost() {
  bool ended = false;
  zmq::message_t part;
  while (monitor_ && monitor_->recv(part, zmq::recv_flags::dontwait)) ended = true;
  return ended;
}

Result<std::optional<zmq::message_t>> Connection::receive() {
  zmq::message_t frame;
  if (!dealer_ || !dealer_->recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
  if (!frame.more()) return std::optional(std::move(frame));
  return fail(Errc::Protocol, fmt::format("client: {} sent a message of several parts", endpoint_));
}

void Connection::send(std::string frame) {
  if (dealer_) (void)dealer_->send(to_message(std::move(frame)), zmq::send_flags::dontwait);
}

void Connection::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  if (dealer_) items.push_back({dealer_->handle(), 0, ZMQ_POLLIN, 0});
  if (monitor_) items.push_back({monitor_->handle(), 0, ZMQ_POLLIN, 0});
}

}  // namespace marram::client
