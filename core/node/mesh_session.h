// One session of the mesh, as the transport keeps it: whose it is, and what waits to go out.
//
// Threads: the loop's.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "core/base/clock.h"
#include "core/mesh/values.h"
#include "core/node/dialler.h"
#include "core/node/mesh_listener.h"

namespace marram {

// Whether the frame may go before data that waits.
bool overtakes(const wire::LinkFrame& frame);

struct MeshSession {
  mesh::SessionInfo info;
  std::unique_ptr<Dialler> dialler;  // dialled by this node; else:
  std::string peer;                  // its routing id at the listener
  int fd = -1;                       // its connection there

  bool greeted = false;  // its HELLO has come
  TimePoint hello_until{};
  bool lost = false;                // the connection is gone; what came before may still be unread
  bool over = false;                // nothing more is taken from it or given to it
  std::optional<TimePoint> cut_at;  // over: when the connection is cut at the latest

  // Sends what waits, and `frame` (if any) behind or, `urgent`, before it.
  Router::Sent send(MeshListener* listener, zmq::message_t frame, bool urgent);
  Router::Sent flush(MeshListener* listener);
  // Past everything; not kept when it is not taken.
  void send_last(MeshListener* listener, zmq::message_t frame);

  bool waits() const { return !urgent_.empty() || !waiting_.empty(); }
  // With what keeping them takes.
  std::size_t waiting_bytes() const { return waiting_bytes_; }
  void drop_waiting();

 private:
  Router::Sent give(MeshListener* listener, zmq::message_t& frame);
  Router::Sent give_all(MeshListener* listener, std::deque<zmq::message_t>& frames);

  std::deque<zmq::message_t> urgent_;
  std::deque<zmq::message_t> waiting_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace marram
