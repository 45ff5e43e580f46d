#include "core/node/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/quantity.h"
#include "core/event/topic.h"
#include "core/node/broker.h"
#include "core/store/store.h"
#include "core/wire/encode.h"

namespace marram {

namespace {

using namespace std::chrono_literals;

constexpr int kFramesARun = 256;
constexpr std::size_t kAnswerBytesMax = 4 << 20;  // unread, and again unsent, of one client
constexpr std::size_t kPingBytes = 512 << 10;     // of answers between two PINGs
constexpr Duration kRetry = 2ms;                  // full pipes, an overloaded store
constexpr Duration kLogPause = 1s;                // between two refusals in the log
constexpr Duration kProbeFirst = 5ms;
constexpr Duration kProbeLast = 1s;
constexpr std::size_t kWindowBytesMost = 8 << 20;

std::string_view text_of(const zmq::message_t& frame) { return {frame.data<char>(), frame.size()}; }

bool is_delivery(const std::string& frame) {
  return frame.size() > 1 && frame[1] == static_cast<char>(wire::Verb::Deliver);
}

}  // namespace

Result<std::unique_ptr<Endpoint>> Endpoint::open(Options options, Broker& broker, Store& store) {
  auto router = Router::bind(options.listen, options.limits.frame_bytes_max, options.connections);
  if (!router) return tl::unexpected(router.error());
  return std::unique_ptr<Endpoint>(
      new Endpoint(std::move(options), broker, store, std::move(*router)));
}

Endpoint::Endpoint(Options options, Broker& broker, Store& store, std::unique_ptr<Router> router)
    : options_(std::move(options)),
      broker_(broker),
      shared_{.broker = broker,
              .store = store,
              .limits = options_.limits,
              .stored = std::make_shared<Inbox>(),
              .order = {},
              .window_bytes = std::min(kWindowBytesMost, options_.limits.queued_bytes_max / 4)},
      router_(std::move(router)),
      decoder_(options_.limits) {}

Endpoint::~Endpoint() = default;

void Endpoint::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  items.push_back({nullptr, shared_.stored->fd(), ZMQ_POLLIN, 0});
  router_->add_poll_items(items, !paused());
}

bool Endpoint::run(TimePoint now) {
  now_ = now;
  bool busy = take_stored();
  if (parked_) retry_parked();
  const bool more = read_frames(now);
  busy = more || busy;
  broker_.flush();
  watch(!more && !paused());
  probe(now);
  check_silence(now);
  send_all();
  return drop_over() || busy;
}

std::optional<TimePoint> Endpoint::wake_at() const {
  const auto silent = router_->connections().wake_at();
  if (clients_.empty()) return silent;
  TimePoint at = check_at_;
  if (silent && !paused()) at = std::min(at, *silent);
  if (parked_ || unsent_) at = std::min(at, now_ + kRetry);
  if (probe_at_) at = std::min(at, *probe_at_);
  return at;
}

// --- in ---

bool Endpoint::take_stored() {
  if (!shared_.stored->take(notices_)) return false;
  for (Notice& notice : notices_) {
    const auto session = shared_.order.front().lock();
    shared_.order.pop_front();
    if (session) session->on_stored(std::get<Published>(notice));
  }
  return true;
}

bool Endpoint::read_frames(TimePoint now) {
  for (int i = 0; i < kFramesARun; ++i) {
    if (paused()) return false;
    auto incoming = router_->receive();
    if (!incoming) return false;
    take(*incoming, now);
  }
  return true;
}

void Endpoint::take(Router::Incoming& incoming, TimePoint now) {
  const auto found = clients_.find(incoming.peer);
  if (found != clients_.end()) {
    if (!incoming.whole) found->second.over = Error{Errc::Protocol, "endpoint: not one part"};
    take(found->second, incoming.frame, now);
    return;
  }
  auto frame = decoder_.decode(text_of(incoming.frame), {});
  if (!frame) {
    refuse(incoming.peer, frame.error());
  } else if (const auto* hello = std::get_if<wire::Hello>(&*frame); hello && incoming.whole) {
    greet(incoming, *hello, now);
  } else if (!std::holds_alternative<wire::Bye>(*frame)) {
    refuse(incoming.peer, {Errc::Protocol, "endpoint: no session here, HELLO comes first"});
  }
}

void Endpoint::take(Client& client, zmq::message_t& frame, TimePoint now) {
  client.session->heard = now;
  if (client.over) return;
  if (client.parked.empty()) {
    handle(client, frame);
    return;
  }
  parked_bytes_ += frame.size();
  client.parked.push_back(std::move(frame));
}

// Parks the frame when the store is overloaded.
void Endpoint::handle(Client& client, zmq::message_t& frame) {
  auto decoded = decoder_.decode(text_of(frame), {options_.clock->wall(), client.session->name()});
  if (!decoded) {
    client.over = std::move(decoded.error());
    return;
  }
  if (const auto* pong = std::get_if<wire::Pong>(&*decoded); pong && client.ping == pong->number) {
    client.ping.reset();
    client.unread_answer_bytes -= client.pinged_answer_bytes;
  }
  const auto done = client.session->on_frame(*decoded, frame.size(), client.session);
  if (!done) {
    client.over = done.error();
  } else if (!*done) {
    parked_ = true;
    parked_bytes_ += frame.size();
    client.parked.push_front(std::move(frame));
  } else if (client.session->bye()) {
    client.over = Error{Errc::Closed, "endpoint: the client said good-bye"};
    client.say_why = false;
  }
}

void Endpoint::retry_parked() {
  parked_ = false;
  for (auto& [peer, client] : clients_) {
    while (!client.parked.empty() && !client.over) {
      zmq::message_t frame = std::move(client.parked.front());
      client.parked.pop_front();
      parked_bytes_ -= frame.size();
      const std::size_t before = client.parked.size();
      handle(client, frame);
      if (client.parked.size() > before) break;
    }
    client.session->heard = now_;
  }
}

// --- sessions ---

std::optional<Error> Endpoint::refusal(const wire::Hello& hello) const {
  if (hello.low > wire::kVersionHigh || hello.high < wire::kVersionLow) {
    return Error{Errc::Version,
                 fmt::format("endpoint: the client speaks protocol versions {} to {}, this node {} "
                             "to {} (upgrade the older one)",
                             hello.low, hello.high, wire::kVersionLow, wire::kVersionHigh)};
  }
  if (hello.role != wire::kRoleClient) {
    return Error{Errc::Unsupported, "endpoint: only clients connect here"};
  }
  if (auto status = check_name("client", hello.name, options_.limits); !status) {
    return status.error();
  }
  if (clients_.size() < options_.limits.clients_max) return {};
  return Error{Errc::Refused, fmt::format("endpoint: {} clients are connected already (raise "
                                          "limits.clients_max)",
                                          clients_.size())};
}

void Endpoint::greet(const Router::Incoming& incoming, const wire::Hello& hello, TimePoint now) {
  for (auto& [other, client] : clients_) {
    if (client.session->instance() != hello.instance || client.over) continue;
    client.over = Error{Errc::Closed, "endpoint: the client has connected again"};
  }
  drop_over();
  if (const auto error = refusal(hello)) {
    refuse(incoming.peer, *error);
    return;
  }
  const auto connection = router_->connections().spoke(incoming.fd);
  if (!connection) return;  // it is gone already
  Client& client = clients_[incoming.peer];
  client.connection = *connection;
  client.session = std::make_shared<ClientSession>(shared_, hello, now);
  client.session->out().push_back(
      wire::encode(wire::Welcome{.version = std::min(hello.high, wire::kVersionHigh),
                                 .node_name = options_.node_name,
                                 .node_id = options_.node_id,
                                 .silent_after = options_.silent_after,
                                 .window_bytes = shared_.window_bytes,
                                 .limits = options_.limits}));
  if (clients_.size() == 1) check_at_ = now + options_.silent_after / 4;
}

void Endpoint::refuse(const std::string& peer, const Error& error) {
  zmq::message_t frame = to_message(wire::encode(wire::Broken{error}));
  (void)router_->send(peer, frame);  // who does not read it is not owed it
  log_refusal(error);
}

// A peer that goes on and on does not fill the log.
void Endpoint::log_refusal(const Error& error) {
  if (options_.log == nullptr) return;
  if (now_ < log_at_) {
    ++unlogged_;
    return;
  }
  const std::uint64_t more = std::exchange(unlogged_, 0);
  log_at_ = now_ + kLogPause;
  options_.log->warn("endpoint", error.message, {{"refusals_not_logged", std::to_string(more)}});
}

// Who has said nothing is known when everything is read.
void Endpoint::watch(bool all_read) {
  Connections& connections = router_->connections();
  for (const auto& ended : all_read ? connections.run(now_) : connections.take_ended(now_)) {
    probe_pause_ = kProbeFirst;
    probe_at_ = now_;
    if (ended.why.reason != "silent" && ended.why.reason != "too_many") continue;
    log_refusal(
        {Errc::TimedOut, fmt::format("endpoint: cut {}: {}", ended.address, ended.why.text)});
  }
}

// A connection ended; whose, only a frame to each of them tells, and perhaps not at once.
void Endpoint::probe(TimePoint now) {
  if (!probe_at_ || now < *probe_at_) return;
  for (auto& [peer, client] : clients_) client.session->out().push_back(wire::encode(wire::Pong{}));
  probe_at_ = now + probe_pause_;
  if (probe_pause_ > kProbeLast) probe_at_.reset();
  probe_pause_ *= 5;
}

void Endpoint::check_silence(TimePoint now) {
  if (clients_.empty() || now < check_at_) return;
  check_at_ = now + options_.silent_after / 4;
  for (auto& [peer, client] : clients_) {
    if (paused()) {
      // Its frames are not read now; it must not take that for our silence.
      client.session->heard = now;
      client.session->out().push_back(wire::encode(wire::Pong{}));
    } else if (now - client.session->heard >= options_.silent_after && !client.over) {
      client.over = Error{Errc::TimedOut, fmt::format("endpoint: the client was silent for {}",
                                                      duration_text(options_.silent_after))};
    }
  }
}

bool Endpoint::drop_over() {
  const std::size_t before = clients_.size();
  for (auto at = clients_.begin(); at != clients_.end();) {
    Client& client = at->second;
    if (!client.over) {
      ++at;
      continue;
    }
    if (client.say_why) refuse(at->first, *client.over);
    router_->connections().ignore(client.connection);
    for (const zmq::message_t& frame : client.parked) parked_bytes_ -= frame.size();
    at = clients_.erase(at);
  }
  return clients_.size() < before;
}

// --- out ---

void Endpoint::send_all() {
  unsent_ = false;
  for (auto& [peer, client] : clients_) {
    send(peer, client);
    unsent_ = unsent_ || !client.unsent.empty();
  }
}

void Endpoint::send(const std::string& peer, Client& client) {
  for (std::string& frame : client.session->out()) {
    const bool delivery = is_delivery(frame);
    if (!delivery) client.unsent_answer_bytes += frame.size();
    client.unsent.push_back({to_message(std::move(frame)), delivery});
  }
  client.session->out().clear();
  if (send_unsent(peer, client) == Router::Sent::Gone) {
    client.over = Error{Errc::Unreachable, "endpoint: the client's connection is gone"};
    client.say_why = false;
  } else if (client.unsent_answer_bytes > kAnswerBytesMax && client.unsent.size() > 1 &&
             !client.over) {
    client.over = Error{Errc::Overloaded, "endpoint: the client does not read its answers"};
  }
}

Router::Sent Endpoint::send_unsent(const std::string& peer, Client& client) {
  ping_reader(peer, client);
  while (!client.unsent.empty() && client.unread_answer_bytes < kAnswerBytesMax) {
    Waiting& next = client.unsent.front();
    const std::size_t bytes = next.frame.size();
    const Router::Sent sent = router_->send(peer, next.frame);
    if (sent != Router::Sent::Yes) return sent;
    if (!next.delivery) {
      client.unsent_answer_bytes -= bytes;
      client.unread_answer_bytes += bytes;
      ping_reader(peer, client);
    }
    client.unsent.pop_front();
  }
  return Router::Sent::Yes;
}

// What a client has read only its PONG tells: the library takes what it is given,
// counts messages, and says nothing.
void Endpoint::ping_reader(const std::string& peer, Client& client) {
  if (client.ping || client.unread_answer_bytes < kPingBytes) return;
  const std::uint64_t number = random_();
  zmq::message_t frame = to_message(wire::encode(wire::Ping{number}));
  if (router_->send(peer, frame) != Router::Sent::Yes) return;  // the next time
  client.ping = number;
  client.pinged_answer_bytes = client.unread_answer_bytes;
}

void Endpoint::stop() {
  while (take_stored()) {
  }
  for (auto& [peer, client] : clients_) {
    client.session->out().push_back(
        wire::encode(wire::Bye{{Errc::Closed, "endpoint: the node is stopping"}}));
    send(peer, client);
  }
  clients_.clear();
}

}  // namespace marram
