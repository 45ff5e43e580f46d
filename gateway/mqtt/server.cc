// Rounds, doors and time.
#include "gateway/mqtt/server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <pthread.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

namespace marram::mqtt {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t kBufferBytes = 256 << 10;
constexpr Duration kClosingTakes = std::chrono::seconds(3);

Now time_now() { return {Clock::system().now(), Clock::system().wall()}; }

std::string address_text(const tcp::endpoint& endpoint) { return endpoint.address().to_string(); }

}  // namespace

Server::Server(MqttOptions options, Bus& bus, std::optional<Users> users,
               std::optional<TlsContext> tls)
    : options_(std::move(options)),
      bus_(bus),
      log_(options_.log != nullptr ? *options_.log : Log::none()),
      rules_{options_.limits, bus.limits()},
      users_(std::move(users)),
      tls_(std::move(tls)),
      io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      now_(time_now()),
      buffer_(kBufferBytes) {
  actions_.ids = &ids_;
  actions_.tally = &tally_;
  if (users_) set_users(std::move(*users_));
}

Status Server::bind(const std::vector<Endpoint>& endpoints) {
  for (Endpoint endpoint : endpoints) {
    const tcp::endpoint at(asio::ip::make_address(endpoint.address), endpoint.port);
    boost::system::error_code error;
    tcp::acceptor acceptor(io_);
    error = acceptor.open(at.protocol(), error);
    if (!error) error = acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && at.address().is_v6()) error = acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) error = acceptor.bind(at, error);
    if (!error) error = acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (error) {
      return fail(Errc::Io, fmt::format("mqtt: cannot listen on {}: {} (mqtt.listen)",
                                        endpoint.text(), error.message()));
    }
    endpoint.port = acceptor.local_endpoint().port();
    endpoints_.push_back(endpoint.text());
    doors_.emplace_back(std::move(acceptor), std::move(endpoint));
  }
  return {};
}

Status Server::load_sessions() {
  const auto consumers = bus_.consumers();
  if (!consumers) return tl::unexpected(consumers.error());
  book_.load(*consumers, now_.steady);
  return {};
}

void Server::start() {
  inbox_ready_.assign(inbox_->fd());
  for (Door& door : doors_) accept_at(door);
  thread_ = std::thread([this] { run(); });
}

std::vector<std::string> Server::endpoints() const { return endpoints_; }

void Server::close() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    look_at_clock();
    begin_closing();
  });
  thread_.join();
  passwords_.reset();
  inbox_ready_.release();  // the inbox closes it
}

void Server::run() {
  // Signals are for the program's threads; OpenSSL would raise SIGPIPE in this one.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  busy_ = true;
  while (!finished_) {
    if (!busy_) io_.run_one();
    look_at_clock();
    io_.poll();
    busy_ = take_notices();
    finish_round();
    if (!busy_) wait_for_notices();
  }
  stopped_ = true;
}

// A round has one time.  Its first handler runs inside of the wait, which may have been
// long: whatever comes from outside looks by itself.
void Server::look_at_clock() { now_ = time_now(); }

void Server::finish_round() {
  if (now_.steady >= timer_at_) on_time();
  run_tasks();
  submit();
  while (!dirty_.empty()) {
    flushing_.swap(dirty_);
    for (const Handle who : flushing_) {
      Connection* const connection = find(who);
      if (connection != nullptr && connection->dirty) flush(*connection);
    }
    flushing_.clear();
    run_tasks();
  }
  submit();
  dropped_.clear();
  if (closing_ && may_finish()) say_goodbye();
  arm_timer();
}

void Server::mark_dirty(Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty_.push_back(connection.handle);
}

void Server::wait_for_notices() {
  if (waits_for_notices_) return;
  waits_for_notices_ = true;
  inbox_ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                          [this](const boost::system::error_code&) { waits_for_notices_ = false; });
}

// --- doors ---

void Server::accept_at(Door& door) {
  door.acceptor.async_accept(
      [this, &door](const boost::system::error_code& error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        look_at_clock();
        if (error) {
          // Out of descriptors, most likely: the next look is when the timer comes.
          log_.error("mqtt", "cannot accept a connection", {{"cause", error.message()}});
          accept_again_at_ = now_.steady + std::chrono::milliseconds(200);
          door.waiting = true;
          return;
        }
        admit(std::move(socket), door);
        accept_at(door);
      });
}

bool Server::has_room_for(const asio::ip::address& address) const {
  if (slots_.size() - free_slots_.size() >= rules_.mqtt.connections_max) return false;
  const auto found = per_address_.find(address);
  return found == per_address_.end() || found->second < rules_.mqtt.connections_per_address_max;
}

void Server::admit(tcp::socket socket, const Door& door) {
  boost::system::error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return;
  if (!has_room_for(peer.address())) {
    if (turned_away_++ % 1000 == 0) {
      log_.warn("mqtt",
                "a connection is turned away: too many (mqtt.limits.connections_max, "
                "mqtt.limits.connections_per_address_max)",
                {{"address", address_text(peer)}});
    }
    return;
  }
  error = socket.set_option(tcp::no_delay(true), error);
  error = socket.non_blocking(true, error);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = std::make_unique<Connection>(std::move(socket), rules_, now_.steady);
  Connection& connection = *slots_[slot];
  connection.handle = {slot, ++generation_};
  connection.address = peer.address();
  ++per_address_[connection.address];
  const int descriptor = connection.socket.native_handle();
  connection.channel =
      door.endpoint.tls ? Channel::tls(descriptor, *tls_) : Channel::plain(descriptor);
  const bool trusted = door.endpoint.tls && !options_.tls.client_ca_file.empty();
  connection.anonymous_ok =
      options_.allow_anonymous || (!users_ && (door.endpoint.loopback || trusted));
  with(connection, [](Session&) {});  // its deadline, and the wait for its first bytes
}

// --- time ---

void Server::arm_timer() {
  TimePoint next = std::min({hold_until_, unstall_at_, accept_again_at_, remove_again_at_,
                             book_.first_expiry().value_or(TimePoint::max()),
                             deadlines_.first().value_or(TimePoint::max())});
  if (closing_) next = std::min(next, closing_until_);
  if (next >= timer_at_) return;
  timer_at_ = next;
  timer_.expires_at(next);
  // Wakes the round up, which looks at the time by itself.
  timer_.async_wait([](const boost::system::error_code&) {});
}

void Server::on_time() {
  timer_at_ = TimePoint::max();
  while (const auto who = deadlines_.take_due(now_.steady)) look_at(*who);
  if (hold_until_ <= now_.steady) try_again();
  if (remove_again_at_ <= now_.steady) remove_again();
  expire_sessions();
  if (accept_again_at_ > now_.steady) return;
  accept_again_at_ = TimePoint::max();
  for (Door& door : doors_) {
    if (std::exchange(door.waiting, false)) accept_at(door);
  }
}

void Server::look_at(Handle who) {
  Connection* const connection = find(who);
  if (connection == nullptr) return;
  connection->looked_at = TimePoint::max();
  if (connection->closing) {
    if (connection->linger_until <= now_.steady) return drop(*connection);
    connection->looked_at = connection->linger_until;
    deadlines_.add(connection->looked_at, who);
    return;
  }
  if (connection->session.connected() && is_held_back(*connection)) {
    connection->session.on_reading_again(now_.steady);  // its silence is our doing
  }
  with(*connection, [&](Session& session) { session.on_tick(now_.steady, actions_); });
}

// --- the end ---

void Server::begin_closing() {
  if (closing_) return;
  closing_ = true;
  closing_until_ = now_.steady + kClosingTakes;
  boost::system::error_code ignored;
  for (Door& door : doors_) ignored = door.acceptor.close(ignored);
}

// What was taken is answered first, unless that takes too long.
bool Server::may_finish() const {
  return (flights_.empty() && batch_->empty()) || closing_until_ <= now_.steady;
}

void Server::say_goodbye() {
  for (const auto& connection : slots_) {
    if (connection) {
      with(*connection, [&](Session& session) { session.on_shutdown(actions_); });
    }
  }
  run_tasks();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] && write_out(*slots_[slot])) {
      slots_[slot]->channel->finish();
      drop(*slots_[slot]);
    }
  }
  dropped_.clear();
  finished_ = true;
}

}  // namespace marram::mqtt
