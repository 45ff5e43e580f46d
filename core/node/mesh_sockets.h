// MeshTransport with its sockets.
//
// A session is over in two steps: first nothing more is taken from it, and the other side is
// told why; then, when it has hung up or after a moment, the connection is cut.
//
// Threads: as MeshTransport.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>
#include <zmq.hpp>

#include "core/node/mesh_dials.h"
#include "core/node/mesh_listener.h"
#include "core/node/mesh_session.h"
#include "core/node/mesh_transport.h"
#include "core/node/refusals.h"
#include "core/node/zap.h"
#include "core/wire/link_codec.h"

namespace marram {

class MeshSockets : public MeshTransport {
 public:
  MeshSockets(Options options, Handler& handler);
  ~MeshSockets() override;

  // Errors: as MeshTransport::open(), but for Config
  Status open();

  const std::vector<std::string>& endpoints() const override { return endpoints_; }
  void dial(const mesh::Dial& dial) override;
  void send(const mesh::SendFrame& send) override;
  void send(const mesh::SendData& send) override;
  void hang_up(const mesh::HangUp& hang_up) override;
  void trust_changed() override;
  const std::map<std::string, std::uint64_t>& refused() const override {
    return refusals_.counts();
  }

  void add_poll_items(std::vector<zmq::pollitem_t>& items) override;
  bool run(TimePoint now) override;
  std::optional<TimePoint> wake_at() const override;
  void stop() override;

 private:
  using Ids = std::set<mesh::SessionId>;
  static constexpr Duration kRetryLeast = std::chrono::milliseconds(1);
  static constexpr Duration kRetryMost = std::chrono::milliseconds(32);
  struct Down {
    mesh::SessionId id;
    Error why;
  };

  bool secure() const { return !options_.key.public_key.empty(); }
  MeshSession* find(mesh::SessionId id);

  // In.
  void take_ends(const std::vector<MeshListener::Ended>& ends);
  bool read_listener();
  void take(MeshListener::Frame& frame);
  void meet(MeshListener::Frame& frame);
  bool read_diallers();
  bool read_dialler(MeshSession& session);
  void take(MeshSession& session, const Router::Incoming& incoming);
  bool greet(MeshSession& session, const wire::LinkFrame& frame);
  void take_dials();
  void check_hellos();

  // Out.
  void give(mesh::SessionId id, std::string frame, bool urgent);
  void flush_unsent();
  void after_send(MeshSession& session, Router::Sent sent);

  // Ends: told to the handler, and `say`d to the peer.
  void end(MeshSession& session, Error why, bool say);
  void refuse(MeshSession& session, const std::string& reason, Error why);
  void close(MeshSession& session, const Error& why, bool say);
  void sweep();
  void forget(mesh::SessionId id);
  void tell_downs();

  const Options options_;
  Handler& handler_;
  Refusals refusals_;
  bool testing_ = true;  // the self-test's refusals do not count

  zmq::context_t context_{1};
  std::unique_ptr<Zap> zap_;
  std::unique_ptr<MeshListener> listener_;
  std::unique_ptr<MeshDials> dials_;
  std::vector<std::string> endpoints_;

  wire::LinkDecoder decoder_;
  std::map<mesh::SessionId, MeshSession> sessions_;
  std::unordered_map<std::string, mesh::SessionId> peers_;  // by routing id at the listener
  std::set<std::string> dead_;                  // routing ids whose frames may still be unread
  std::map<int, mesh::SessionId> connections_;  // by file descriptor there
  mesh::SessionId last_id_ = 0;
  Ids dialled_;
  Ids ungreeted_;
  Ids unsent_;
  Ids ending_;  // over, or lost
  std::vector<Down> downs_;
  Duration retry_ = kRetryLeast;  // of a full pipe of the listener
  TimePoint now_{};
};

}  // namespace marram
