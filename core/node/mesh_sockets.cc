#include "core/node/mesh_sockets.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/quantity.h"
#include "core/base/utf8.h"
#include "core/node/mesh_self_test.h"
#include "core/node/mesh_socket.h"

namespace marram {

namespace {

constexpr int kFramesARun = 256;
constexpr int kFramesADialler = 64;
constexpr int kSocketsMax = 16'384;  // three a dialled session

std::string_view text_of(const zmq::message_t& frame) { return {frame.data<char>(), frame.size()}; }

}  // namespace

MeshSockets::MeshSockets(Options options, Handler& handler)
    : options_(std::move(options)),
      handler_(handler),
      refusals_(*options_.log),
      decoder_(options_.limits) {
  context_.set(zmq::ctxopt::max_sockets, kSocketsMax);
}

MeshSockets::~MeshSockets() = default;

Status MeshSockets::open() {
  dials_ = std::make_unique<MeshDials>(context_, options_.trust,
                                       MeshDials::Options{.key = options_.key,
                                                          .plain_anywhere = options_.insecure,
                                                          .within = options_.handshake_max});
  if (options_.listen.empty()) return {};
  if (secure()) {
    auto zap = Zap::open(context_, options_.trust, options_.key.public_key,
                         [this](const std::string& key, const std::string& address) {
                           if (testing_) return;
                           refusals_.add("untrusted", key + address,
                                         fmt::format("mesh: refused {} from {}: its key is not "
                                                     "trusted (marram peer trust '{}')",
                                                     node_id_of_key(key), address, key),
                                         now_);
                         });
    if (!zap) return tl::unexpected(zap.error());
    zap_ = std::move(*zap);
  }
  auto bound = MeshListener::bind(context_, {.listen = options_.listen,
                                             .key = options_.key,
                                             .silent_max = options_.unknown_sessions_max,
                                             .silent_for = options_.handshake_max});
  if (!bound) return tl::unexpected(bound.error());
  listener_ = std::move(*bound);
  endpoints_ = listener_->endpoints();
  if (secure()) {
    auto proved = prove_strangers_refused(context_, *listener_, *zap_, options_.key.public_key);
    if (!proved) return proved;
  }
  testing_ = false;
  return {};
}

MeshSession* MeshSockets::find(mesh::SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

// --- the loop ---

void MeshSockets::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  if (zap_) items.push_back({zap_->handle(), 0, ZMQ_POLLIN, 0});
  if (listener_) listener_->add_poll_items(items);
  dials_->add_poll_items(items);
  for (const mesh::SessionId id : dialled_) {
    MeshSession& session = sessions_.at(id);
    session.dialler->add_poll_items(items, session.waits());
  }
}

// What came from a connection is read before its end is told.
bool MeshSockets::run(TimePoint now) {
  now_ = now;
  bool busy = zap_ && zap_->run();
  if (listener_) take_ends(listener_->watch(now));
  take_dials();
  busy = read_listener() || busy;
  busy = read_diallers() || busy;
  check_hellos();
  flush_unsent();
  sweep();
  tell_downs();
  return busy;
}

std::optional<TimePoint> MeshSockets::wake_at() const {
  std::optional<TimePoint> at = dials_->wake_at();
  const auto also = [&](std::optional<TimePoint> when) {
    if (when) at = at ? std::min(*at, *when) : *when;
  };
  if (listener_) also(listener_->wake_at());
  if (!downs_.empty()) also(now_);
  // A dialler's socket wakes the loop when it has room; the listener's cannot.
  const auto listens = [&](mesh::SessionId id) { return !dialled_.contains(id); };
  if (std::ranges::any_of(unsent_, listens)) also(now_ + retry_);
  for (const mesh::SessionId id : ending_) also(sessions_.at(id).cut_at.value_or(now_));
  for (const mesh::SessionId id : ungreeted_) also(sessions_.at(id).hello_until);
  return at;
}

void MeshSockets::stop() {
  for (auto& [id, session] : sessions_) {
    const Error why{Errc::Closed, "mesh: the node is stopping"};
    if (!session.over && !session.lost) {
      (void)session.flush(listener_.get());
      session.send_last(listener_.get(), to_message(wire::encode_link(wire::Bye{why})));
    }
  }
  for (Ids* const ids : {&dialled_, &ungreeted_, &unsent_, &ending_}) ids->clear();
  sessions_.clear();
  peers_.clear();
  dead_.clear();
  connections_.clear();
  downs_.clear();
  dials_.reset();
  listener_.reset();
  zap_.reset();
}

// --- in ---

void MeshSockets::take_ends(const std::vector<MeshListener::Ended>& ends) {
  for (const MeshListener::Ended& ended : ends) {
    if (!ended.why.reason.empty()) {
      const std::string host = ended.address.substr(0, ended.address.rfind(':'));
      refusals_.add(ended.why.reason, host,
                    fmt::format("mesh: refused {}: {}", ended.address, ended.why.text), now_);
    }
    const auto found = connections_.find(ended.fd);
    if (found == connections_.end()) continue;
    sessions_.at(found->second).lost = true;
    ending_.insert(found->second);
    connections_.erase(found);
  }
}

bool MeshSockets::read_listener() {
  if (!listener_) return false;
  for (int i = 0; i < kFramesARun; ++i) {
    auto frame = listener_->receive();
    if (!frame) {
      dead_.clear();
      return false;
    }
    take(*frame);
  }
  return true;
}

void MeshSockets::take(MeshListener::Frame& frame) {
  const auto found = peers_.find(frame.incoming.peer);
  if (found == peers_.end()) {
    meet(frame);
  } else {
    take(sessions_.at(found->second), frame.incoming);
  }
}

// The first frame of a connection.
void MeshSockets::meet(MeshListener::Frame& frame) {
  // By its descriptor it could be taken for a newer connection.
  if (dead_.contains(frame.incoming.peer)) return;
  const auto known = listener_->spoke(frame.fd);
  take_ends(listener_->watch(now_));
  if (!known || connections_.contains(frame.fd)) return;  // it is gone already
  const mesh::SessionId id = ++last_id_;
  MeshSession& session = sessions_[id];
  session.info = {
      .id = id, .dialled = false, .address = known->address, .proven_id = frame.node_id};
  if (zap_ && !frame.node_id.empty()) session.info.key = zap_->key_of(frame.node_id);
  session.peer = frame.incoming.peer;
  session.fd = frame.fd;
  peers_[session.peer] = id;
  connections_[session.fd] = id;
  if (secure() && !zap_->admits(session.info.key)) {
    refuse(session, "untrusted",
           {Errc::Refused, fmt::format("mesh: the key of {} is not trusted", known->address)});
  } else if (sessions_.size() > options_.sessions_max) {
    refuse(session, "too_many",
           {Errc::Overloaded, fmt::format("mesh: {} sessions are open already, no room for {}",
                                          options_.sessions_max, known->address)});
  } else {
    take(session, frame.incoming);
  }
}

bool MeshSockets::read_diallers() {
  bool busy = false;
  // A handler may dial and hang up meanwhile; neither changes who is in dialled_.
  for (const mesh::SessionId id : dialled_) busy = read_dialler(sessions_.at(id)) || busy;
  return busy;
}

bool MeshSockets::read_dialler(MeshSession& session) {
  if (session.over) return false;
  const bool lost = session.dialler->state() != Dialler::State::Up;
  for (int i = 0; i < kFramesADialler; ++i) {
    const auto incoming = session.dialler->receive();
    if (!incoming) {
      session.lost = lost;
      if (lost) ending_.insert(session.info.id);
      return false;
    }
    take(session, *incoming);
  }
  return true;
}

void MeshSockets::take(MeshSession& session, const Router::Incoming& incoming) {
  if (session.over) return;
  if (!incoming.whole) {
    refuse(session, "malformed", {Errc::Protocol, "mesh: a message of several parts"});
    return;
  }
  auto frame = decoder_.decode(text_of(incoming.frame));
  if (!frame) {
    const bool large = frame.error().code == Errc::TooLarge;
    refuse(session, large ? "too_large" : "malformed", std::move(frame.error()));
  } else if (session.greeted || greet(session, *frame)) {
    handler_.on_frame(session.info.id, std::move(*frame));
  }
}

// The first frame: whether it may go to the handler.
bool MeshSockets::greet(MeshSession& session, const wire::LinkFrame& frame) {
  const auto* hello = std::get_if<wire::LinkHello>(&frame);
  if (hello == nullptr) {
    // Who was dialled may say why it will not have this node.
    if (session.info.dialled &&
        (std::holds_alternative<wire::Broken>(frame) || std::holds_alternative<wire::Bye>(frame)))
      return true;
    refuse(session, "no_hello", {Errc::Protocol, "mesh: no session here, HELLO comes first"});
    return false;
  }
  if (secure() && hello->node_id != session.info.proven_id) {
    refuse(session, "wrong_id",
           {Errc::Refused, fmt::format("mesh: calls itself {}, but its key is that of {}",
                                       in_quotes(hello->node_id), session.info.proven_id)});
    return false;
  }
  session.greeted = true;
  ungreeted_.erase(session.info.id);
  if (!session.info.dialled) handler_.on_session_up(session.info);
  return true;
}

void MeshSockets::take_dials() {
  for (MeshDials::Done& done : dials_->run(now_)) {
    if (done.dialler && sessions_.size() >= options_.sessions_max) {
      done.dialler.reset();
      done.why = {Errc::Overloaded,
                  fmt::format("mesh: {} sessions are open already, no room for one with {}",
                              options_.sessions_max, done.dial.address)};
    }
    if (!done.dialler) {
      if (!done.reason.empty()) {
        refusals_.add(done.reason, done.dial.address, done.why.message, now_);
      }
      handler_.on_dial_failed(done.dial.address, !done.reason.empty(), done.why);
      continue;
    }
    const mesh::SessionId id = ++last_id_;
    MeshSession& session = sessions_[id];
    session.info = {.id = id,
                    .dialled = true,
                    .address = done.dial.address,
                    .proven_id = node_id_of_key(done.key),
                    .key = done.key};
    session.dialler = std::move(done.dialler);
    session.hello_until = now_ + options_.handshake_max;
    dialled_.insert(id);
    ungreeted_.insert(id);
    handler_.on_session_up(session.info);
  }
}

void MeshSockets::check_hellos() {
  for (const mesh::SessionId id : Ids(ungreeted_)) {
    MeshSession& session = sessions_.at(id);
    if (session.over || now_ < session.hello_until) continue;
    end(session,
        {Errc::TimedOut, fmt::format("mesh: no HELLO from {} within {}", session.info.address,
                                     duration_text(options_.handshake_max))},
        true);
  }
}

}  // namespace marram
