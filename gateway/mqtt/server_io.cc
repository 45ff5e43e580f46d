// Bytes in and out.
#include <boost/asio/post.hpp>
#include <cstring>

#include "gateway/mqtt/server.h"

namespace marram::mqtt {

namespace {

using boost::asio::ip::tcp;
using State = Transfer::State;

// Unfinished bytes up to this many are put before what is read next.
constexpr std::size_t kCarriedMax = 16 << 10;
// Who has not said CONNECT yet is read in small bites.
constexpr std::size_t kStrangersBite = 4 << 10;
constexpr std::size_t kHeldBytesMax = 256 << 10;
constexpr std::size_t kAllHeldBytesMax = 64 << 20;
constexpr std::size_t kSparesMax = 64;
constexpr std::size_t kSpareBytesMax = 1 << 20;

}  // namespace

void Server::wait_readable(Connection& connection) {
  if (connection.waits_readable) return;
  connection.waits_readable = true;
  connection.socket.async_wait(tcp::socket::wait_read, [this, who = connection.handle](
                                                           const boost::system::error_code& error) {
    Connection* const ready = find(who);
    if (ready == nullptr) return;
    ready->waits_readable = false;
    look_at_clock();
    if (!error) on_readable(*ready);
  });
}

void Server::wait_writable(Connection& connection) {
  if (connection.waits_writable) return;
  connection.waits_writable = true;
  connection.socket.async_wait(
      tcp::socket::wait_write,
      [this, who = connection.handle](const boost::system::error_code& error) {
        Connection* const ready = find(who);
        if (ready == nullptr) return;
        ready->waits_writable = false;
        if (!error) mark_dirty(*ready);
      });
}

void Server::on_readable(Connection& connection) {
  if (connection.lingering) return discard(connection);
  if (!wants_reading(connection)) return;  // flush() waits again when it does
  const std::size_t carried =
      connection.unfinished.size() <= kCarriedMax ? connection.unfinished.size() : 0;
  if (carried > 0) std::memcpy(buffer_.data(), connection.unfinished.data(), carried);
  std::span<char> room = std::span(buffer_).subspan(carried);
  if (!connection.session.connected()) room = room.first(kStrangersBite);
  if (connection.held) room = room.first(std::min(room.size(), held_bytes_max()));

  const Transfer transfer = connection.channel->read(room);
  switch (transfer.state) {
    case State::Moved:
      bytes_received_ += transfer.bytes;
      connection.more = connection.channel->has_more();
      take_bytes(connection, transfer.bytes, carried);
      return;
    case State::WaitReadable:
      return mark_dirty(connection);
    case State::WaitWritable:
      return wait_writable(connection);
    case State::Ended:
      return drop(connection);
  }
}

// `count` bytes have been read into the buffer, behind `carried` unfinished ones.
void Server::take_bytes(Connection& connection, std::size_t count, std::size_t carried) {
  if (carried < connection.unfinished.size()) {
    connection.unfinished.append(buffer_.data(), count);
    return parse_unfinished(connection);
  }
  const std::string_view rest = parse(connection, {buffer_.data(), carried + count});
  connection.unfinished = std::string(rest);  // no memory where nothing is left
  count_unfinished(connection);
}

void Server::parse_unfinished(Connection& connection) {
  const std::size_t before = connection.unfinished.size();
  const std::size_t left = parse(connection, connection.unfinished).size();
  if (left != before) connection.unfinished = connection.unfinished.substr(before - left);
  count_unfinished(connection);
}

// With too much of all connections together, the long ones go.
void Server::count_unfinished(Connection& connection) {
  unfinished_bytes_ -= connection.unfinished_counted;
  connection.unfinished_counted = connection.unfinished.size();
  unfinished_bytes_ += connection.unfinished_counted;
  if (unfinished_bytes_ <= rules_.mqtt.unfinished_bytes_max ||
      connection.unfinished.size() <= kCarriedMax || connection.session.over()) {
    return;
  }
  with(connection,
       [&](Session& session) { session.on_bad_frame(Reason::QuotaExceeded, actions_); });
}

// Hands packets to the session while it takes them; gives back what is left.
std::string_view Server::parse(Connection& connection, std::string_view bytes) {
  with(connection, [&](Session& session) {
    Frame frame;
    while (session.takes_packets()) {
      switch (read_frame(bytes, session.packet_bytes_max(), frame)) {
        case FrameState::Ready:
          bytes.remove_prefix(frame.bytes);
          session.on_frame(frame, now_, actions_);
          break;
        case FrameState::Partial:
          return;
        case FrameState::Malformed:
          return session.on_bad_frame(Reason::MalformedPacket, actions_);
        case FrameState::TooLarge:
          return session.on_bad_frame(Reason::PacketTooLarge, actions_);
      }
    }
  });
  if (connection.session.over()) return {};
  connection.paused = !connection.session.takes_packets() && !bytes.empty();
  return bytes;
}

// Of one connection that is held back: they share what all may take.
std::size_t Server::held_bytes_max() const {
  return std::min(kHeldBytesMax, kAllHeldBytesMax / std::max<std::size_t>(1, holding_.size()));
}

bool Server::is_held_back(const Connection& connection) const {
  const bool held =
      connection.held != nullptr && connection.held->later.events->bytes() >= held_bytes_max();
  return stalled_ || closing_ || held || !connection.session.takes_packets() ||
         connection.session.unacknowledged() >= rules_.mqtt.receive_maximum;
}

bool Server::wants_reading(const Connection& connection) const {
  if (connection.lingering) return true;
  const std::size_t unsent = connection.unsent.size() - connection.sent;
  return !connection.closing && !is_held_back(connection) && unsent < rules_.mqtt.unsent_bytes_max;
}

// Writes what there is, and waits for what is to come.
void Server::flush(Connection& connection) {
  connection.dirty = false;
  if (!write_out(connection)) return;
  const bool all_sent = connection.unsent.empty();
  if (all_sent && connection.closing && !connection.lingering) {
    if (!connection.linger) return drop(connection);
    connection.channel->finish();
    connection.lingering = true;
  }
  if (!wants_reading(connection)) return;
  if (connection.more) {
    connection.more = false;
    boost::asio::post(io_, [this, who = connection.handle] {
      if (Connection* const ready = find(who)) on_readable(*ready);
    });
    return;
  }
  wait_readable(connection);
}

// False: the connection is gone.
bool Server::write_out(Connection& connection) {
  std::string& unsent = connection.unsent;
  while (connection.sent < unsent.size()) {
    const Transfer transfer =
        connection.channel->write(std::string_view(unsent).substr(connection.sent));
    connection.sent += transfer.bytes;
    bytes_sent_ += transfer.bytes;
    switch (transfer.state) {
      case State::Moved:
        continue;
      case State::WaitWritable:
        wait_writable(connection);
        return true;
      case State::WaitReadable:
        wait_readable(connection);
        return true;
      case State::Ended:
        drop(connection);
        return false;
    }
  }
  if (connection.sent == 0) return true;
  connection.sent = 0;
  unsent.clear();
  if (spares_.size() < kSparesMax && unsent.capacity() <= kSpareBytesMax) {
    spares_.push_back(std::move(unsent));
  }
  unsent = std::string();
  connection.session.on_sent(actions_);
  settle(connection);
  return true;
}

// The other side may still be sending; it is read and forgotten until it ends.
void Server::discard(Connection& connection) {
  const Transfer transfer = connection.channel->read(std::span(buffer_));
  if (transfer.state == State::Ended) return drop(connection);
  mark_dirty(connection);
}

void Server::drop(Connection& connection) {
  release(connection);
  unfinished_bytes_ -= connection.unfinished_counted;
  boost::system::error_code ignored;
  connection.channel.reset();
  ignored = connection.socket.close(ignored);
  const auto address = per_address_.find(connection.address);
  if (--address->second == 0) per_address_.erase(address);
  const std::uint32_t slot = connection.handle.slot;
  free_slots_.push_back(slot);
  dropped_.push_back(std::move(slots_[slot]));
}

}  // namespace marram::mqtt
