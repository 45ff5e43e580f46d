#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/quantity.h"
#include "core/node/mesh_socket.h"
#include "core/node/mesh_sockets.h"
#include "core/wire/link_split.h"

namespace marram {

namespace {

Error gone(const MeshSession& session) {
  return {Errc::Unreachable,
          fmt::format("mesh: the connection with {} is gone", session.info.address)};
}

}  // namespace

// --- what the mesh asks for ---

void MeshSockets::dial(const mesh::Dial& dial) { dials_->dial(dial); }

void MeshSockets::send(const mesh::SendFrame& send) {
  const auto frames = wire::encode_in_frames(send.frame);
  if (frames) {
    for (const std::string& frame : *frames) give(send.session, frame, overtakes(send.frame));
    return;
  }
  MeshSession* const session = find(send.session);
  if (session != nullptr) refuse(*session, "too_large", frames.error());
}

void MeshSockets::send(const mesh::SendData& send) {
  give(send.session,
       wire::encode_data(send.want, send.after, send.upto, send.batch->events(), send.indices),
       false);
}

void MeshSockets::hang_up(const mesh::HangUp& hang_up) {
  MeshSession* const session = find(hang_up.session);
  if (session != nullptr && !session->over) close(*session, hang_up.why, hang_up.say);
}

void MeshSockets::trust_changed() {
  refusals_.forget();
  if (!secure()) return;
  for (auto& [id, session] : sessions_) {
    const std::string& key = session.info.key;
    const bool trusted = key == options_.key.public_key ||
                         (options_.trust != nullptr && options_.trust->admits(key));
    if (session.over || trusted) continue;
    refuse(session, "revoked",
           {Errc::Refused,
            fmt::format("mesh: the key of {} is trusted no longer", session.info.proven_id)});
  }
}

// --- out ---

void MeshSockets::give(mesh::SessionId id, std::string frame, bool urgent) {
  MeshSession* const session = find(id);
  if (session == nullptr || session->over) return;
  after_send(*session, session->send(listener_.get(), to_message(std::move(frame)), urgent));
}

// Who has taken nothing is asked again after longer and longer pauses.
void MeshSockets::flush_unsent() {
  bool taken = unsent_.empty();
  for (const mesh::SessionId id : Ids(unsent_)) {
    MeshSession& session = sessions_.at(id);
    if (session.over) continue;
    const std::size_t before = session.waiting_bytes();
    after_send(session, session.flush(listener_.get()));
    taken = taken || session.waiting_bytes() < before;
  }
  retry_ = taken ? kRetryLeast : std::min(retry_ * 2, kRetryMost);
}

void MeshSockets::after_send(MeshSession& session, Router::Sent sent) {
  if (sent == Router::Sent::Yes) {
    unsent_.erase(session.info.id);
  } else if (sent == Router::Sent::Full) {
    unsent_.insert(session.info.id);
    if (session.waiting_bytes() <= options_.waiting_bytes_max) return;
    refuse(session, "unread",
           {Errc::Overloaded,
            fmt::format("mesh: {} does not read what it is sent", session.info.address)});
  } else {
    // Frames of its that are unread stay its own until the listener tells its end.
    end(session, gone(session), false);
  }
}

// --- ends ---

void MeshSockets::refuse(MeshSession& session, const std::string& reason, Error why) {
  const std::string& id = session.info.proven_id;
  const std::string& address = session.info.address;
  const std::string who = id.empty() ? address : fmt::format("{} at {}", id, address);
  refusals_.add(reason, id.empty() ? address.substr(0, address.rfind(':')) : id,
                fmt::format("{} (session of {} ended)", why.message, who), now_);
  end(session, std::move(why), true);
}

void MeshSockets::end(MeshSession& session, Error why, bool say) {
  if (session.over) return;
  close(session, why, say);
  // Of a session at the listener the handler knows since its HELLO.
  if (session.greeted || session.info.dialled) {
    downs_.push_back({session.info.id, std::move(why)});
  }
}

void MeshSockets::close(MeshSession& session, const Error& why, bool say) {
  session.over = true;
  session.cut_at = now_ + kMeshLinger;
  unsent_.erase(session.info.id);
  ungreeted_.erase(session.info.id);
  ending_.insert(session.info.id);
  if (!say || session.lost) {
    session.drop_waiting();
    return;
  }
  const wire::LinkFrame last = why.code == Errc::Closed ? wire::LinkFrame(wire::Bye{why})
                                                        : wire::LinkFrame(wire::Broken{why});
  session.send_last(listener_.get(), to_message(wire::encode_link(last)));
}

// A dialled session goes with its socket, whose library lets the last frame out.
void MeshSockets::sweep() {
  for (const mesh::SessionId id : Ids(ending_)) {
    MeshSession& session = sessions_.at(id);
    if (session.lost) {
      end(session, gone(session), false);
      forget(id);
    } else if (session.dialler) {
      forget(id);
    } else if (now_ >= *session.cut_at) {
      listener_->cut(session.fd);
      session.cut_at = now_ + kMeshLinger;  // its end is told by the listener
    }
  }
}

void MeshSockets::forget(mesh::SessionId id) {
  const MeshSession& session = sessions_.at(id);
  if (!session.dialler) {
    peers_.erase(session.peer);
    dead_.insert(session.peer);
    const auto found = connections_.find(session.fd);
    if (found != connections_.end() && found->second == id) connections_.erase(found);
  }
  for (Ids* const ids : {&dialled_, &ungreeted_, &unsent_, &ending_}) ids->erase(id);
  sessions_.erase(id);
}

void MeshSockets::tell_downs() {
  for (const Down& down : std::exchange(downs_, {})) handler_.on_session_down(down.id, down.why);
}

}  // namespace marram
