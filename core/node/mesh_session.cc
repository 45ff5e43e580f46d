#include "core/node/mesh_session.h"

#include <type_traits>
#include <utility>
#include <variant>

namespace marram {

namespace {

// A frame that waits takes more than its bytes; answers to PING are all but that.
constexpr std::size_t kWaitingCost = 128;

std::size_t cost_of(const zmq::message_t& frame) { return frame.size() + kWaitingCost; }

}  // namespace

bool overtakes(const wire::LinkFrame& frame) {
  return std::visit(
      []<class Kind>(const Kind&) {
        return std::is_same_v<Kind, wire::Ping> || std::is_same_v<Kind, wire::Pong> ||
               std::is_same_v<Kind, wire::Credit> || std::is_same_v<Kind, wire::State> ||
               std::is_same_v<Kind, wire::Peers>;
      },
      frame);
}

Router::Sent MeshSession::send(MeshListener* listener, zmq::message_t frame, bool urgent) {
  if (!waits()) {
    const Router::Sent sent = give(listener, frame);
    if (sent != Router::Sent::Full) return sent;
  }
  waiting_bytes_ += cost_of(frame);
  (urgent ? urgent_ : waiting_).push_back(std::move(frame));
  return Router::Sent::Full;
}

Router::Sent MeshSession::flush(MeshListener* listener) {
  const Router::Sent sent = give_all(listener, urgent_);
  return sent == Router::Sent::Yes ? give_all(listener, waiting_) : sent;
}

void MeshSession::send_last(MeshListener* listener, zmq::message_t frame) {
  drop_waiting();
  (void)give(listener, frame);
}

void MeshSession::drop_waiting() {
  urgent_.clear();
  waiting_.clear();
  waiting_bytes_ = 0;
}

Router::Sent MeshSession::give(MeshListener* listener, zmq::message_t& frame) {
  return dialler ? dialler->send(frame) : listener->send(peer, frame);
}

Router::Sent MeshSession::give_all(MeshListener* listener, std::deque<zmq::message_t>& frames) {
  while (!frames.empty()) {
    const std::size_t bytes = cost_of(frames.front());
    const Router::Sent sent = give(listener, frames.front());
    if (sent != Router::Sent::Yes) return sent;
    waiting_bytes_ -= bytes;
    frames.pop_front();
  }
  return Router::Sent::Yes;
}

}  // namespace marram
