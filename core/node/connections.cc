#include "core/node/connections.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "core/base/quantity.h"

namespace marram {

namespace {

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

Status Connections::watch(zmq::context_t& context, zmq::socket_t& socket, const std::string& name) {
  constexpr int kWatched = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  return watch_.watch(context, socket, name, kWatched);
}

std::vector<Connections::Ended> Connections::take_ended(TimePoint now) {
  now_ = now;
  take_events();
  return std::exchange(ended_, {});
}

std::vector<Connections::Ended> Connections::run(TimePoint now) {
  now_ = now;
  take_events();
  while (!silent_.empty()) {
    const int oldest = silent_.begin()->second;
    Connection& connection = connections_.at(oldest);
    const bool late = now - connection.silent_since >= options_.silent_for;
    if (!late && silent_.size() <= options_.silent_max) break;
    connection.why =
        late ? HandshakeFailure{"silent", fmt::format("it said nothing for {}",
                                                      duration_text(options_.silent_for))}
             : HandshakeFailure{"too_many", "too many connections have said nothing yet"};
    silent_.erase(silent_.begin());
    connection.order = 0;
    cut(oldest);
  }
  return std::exchange(ended_, {});
}

void Connections::take_events() {
  while (const auto event = watch_.next()) {
    const int fd = static_cast<int>(event->value);
    if (event->what == ZMQ_EVENT_ACCEPTED) {
      end(fd);  // should its end have been missed
      failure_ = {};
      hush(fd, connections_[fd] = {.serial = ++serial_, .address = address_of(fd)});
    } else if (event->what == ZMQ_EVENT_DISCONNECTED) {
      end(fd);
      failure_ = {};
    } else if (event->what != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
      failure_ = handshake_failure(*event);
    }
  }
}

void Connections::hush(int fd, Connection& connection) {
  connection.silent_since = now_;
  connection.order = ++serial_;
  silent_.emplace(connection.order, fd);
}

void Connections::end(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (connection.order != 0) silent_.erase(connection.order);
  if (connection.why.reason.empty() && !connection.spoke) connection.why = failure_;
  ended_.push_back(
      {fd, std::move(connection.address), std::move(connection.why), connection.spoke});
  connections_.erase(found);
}

std::optional<TimePoint> Connections::wake_at() const {
  if (!ended_.empty()) return now_;
  if (silent_.empty()) return {};
  return connections_.at(silent_.begin()->second).silent_since + options_.silent_for;
}

std::optional<Connections::Known> Connections::spoke(int fd) {
  take_events();
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return {};
  Connection& connection = found->second;
  if (connection.order != 0) silent_.erase(std::exchange(connection.order, 0));
  connection.spoke = true;
  return Known{fd, connection.serial, connection.address};
}

void Connections::ignore(const Known& known) {
  take_events();
  const auto found = connections_.find(known.fd);
  if (found == connections_.end() || found->second.serial != known.serial) return;
  if (found->second.order == 0) hush(known.fd, found->second);
}

// The number may have been given to another connection since: not before its end was told.
void Connections::cut(int fd) {
  take_events();
  if (connections_.contains(fd)) ::shutdown(fd, SHUT_RDWR);
}

}  // namespace marram
