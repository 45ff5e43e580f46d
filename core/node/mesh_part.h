// The mesh inside a node: lets mesh::Mesh decide, and does what it says.
//
// It tells the mesh what comes from the links, from the store and from the readers
// here, in the order in which it happened, and carries its actions out: frames to
// send, copies to write, stretches to read from memory or the disk, holds, and how far
// readers may read.
//
//     transport, store, broker --> Mesh --> actions --> transport, store, broker
//
// Threads: open() by one, before the loop starts; the rest on the loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/mesh/mesh.h"
#include "core/node/beacon_socket.h"
#include "core/node/broker.h"
#include "core/node/key_file.h"
#include "core/node/link_log.h"
#include "core/node/loop.h"
#include "core/node/mesh_options.h"
#include "core/node/mesh_transport.h"
#include "core/node/node.h"
#include "core/node/trust_store.h"
#include "core/store/store.h"

namespace marram {

class Republisher;

class MeshPart : public LoopPart,
                 public MeshTransport::Handler,
                 public InterestSink,
                 public Node::Reporter {
 public:
  using Post = std::function<void(std::function<void()>)>;
  struct Options {
    MeshNodeOptions mesh;
    CurveKey key;  // empty: plain links
    std::string name;
    StreamTable streams;
    Limits limits;
    const Clock* clock = &Clock::system();
    Log* log = nullptr;
  };
  // Takes up what `store` had; it and `broker` outlive the part.
  //
  // Errors: as TrustStore::open(), MeshTransport::open(), check_beacon() and BeaconSocket::open();
  //         Invalid  an address of `peers`
  static Result<std::unique_ptr<MeshPart>> open(Options options, Store& store, Broker& broker,
                                                Post post);
  ~MeshPart() override;

  // As bound, ports filled in.
  const std::vector<std::string>& endpoints() const { return transport_->endpoints(); }

  // --- from the loop ---
  void add_poll_items(std::vector<zmq::pollitem_t>& items) override;
  bool run(TimePoint now) override;
  std::optional<TimePoint> wake_at() const override;
  void stop() override;

  // --- from the store, in its order, after the broker ---
  void on_committed(const EventBatch& batch);
  void on_dropped(std::span<const Position> heads);
  void on_log_opened(const LogRecord& log);
  void on_copied(const LogRecord& log);
  void on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill);
  void on_trimmed(std::uint32_t log, std::uint64_t first);
  void on_log_forgotten(std::uint32_t log);

  // --- from the transport ---
  void on_session_up(const mesh::SessionInfo& session) override;
  void on_frame(mesh::SessionId session, wire::LinkFrame frame) override;
  void on_session_down(mesh::SessionId session, const Error& why) override;
  void on_dial_failed(const std::string& address, bool refused, const Error& why) override;

  // --- from the broker ---
  void put_interest(mesh::Interest interest) override;
  void drop_interest(std::uint64_t id) override;
  void move_cursor(std::uint64_t interest, std::uint32_t log, std::uint64_t upto) override;

  // Errors: as TrustStore::set_keys()
  Status set_trusted_keys(std::vector<std::string> keys);

  // The part "mesh" of status_json().
  std::string report_json() override;

 private:
  MeshPart(Options options, Store& store, Broker& broker, Post post);
  Status start();
  Status open_beacon();
  void hear_beacons(TimePoint at);
  mesh::MeshOptions mesh_options() const;

  mesh::Now now() const { return {options_.clock->now(), options_.clock->wall()}; }
  // The mesh has been told something: it is asked what follows before the loop waits.
  mesh::Actions& news();
  void look_at_trust();
  void apply_trust();
  void tell_heads();
  void carry_out();
  void act(mesh::SendFrame& send) { transport_->send(send); }
  void act(mesh::SendData& send) { transport_->send(send); }
  void act(mesh::Dial& dial) { transport_->dial(dial); }
  void act(mesh::SendBeacon& send) {
    if (beacon_) beacon_->send(send.asks, now().steady);
  }
  void act(mesh::HangUp& hang_up) { transport_->hang_up(hang_up); }
  void act(mesh::WriteCopy& write);
  void act(mesh::ReadEvents& read);
  void act(mesh::FindSeq& find);
  void act(mesh::PutHold& put);
  void act(mesh::RemoveHold& remove);
  void act(mesh::MoveHolds& move) { store_.move_holds(std::move(move.moves), now().wall); }
  void act(mesh::SetPins& set) { store_.set_pins(std::move(set.pins)); }
  void act(mesh::SaveFacts& save) { store_.save_facts(save.facts); }
  void act(mesh::ForgetLog& forget);
  void act(mesh::StartEpochAgain& again);
  void act(mesh::Readable& readable) { broker_.on_readable(readable); }
  void act(mesh::Replicated& replicated) { broker_.on_replicated(replicated); }
  void act(mesh::Report& report) { link_log_.write(report, now().steady); }
  std::uint64_t find_in_memory(const KnownLog& log, WallTime time) const;
  std::optional<ReadResult> read_memory(const mesh::ReadEvents& read) const;
  std::function<void(Status)> hold_saved(const std::string& peer, const std::string& stream);
  void complain(std::string_view what, const Status& status);
  void sample(const mesh::MeshStatus& status, TimePoint at);

  const Options options_;
  Store& store_;
  Broker& broker_;
  const Post post_;
  Log& log_;
  LinkLog link_log_;
  std::unique_ptr<TrustStore> trust_;
  std::vector<std::string> trusted_;  // as it was last
  std::unique_ptr<MeshTransport> transport_;
  std::unique_ptr<BeaconSocket> beacon_;  // null: it is off
  std::unique_ptr<mesh::Mesh> mesh_;
  std::unique_ptr<Republisher> republisher_;
  mesh::Actions actions_;
  bool news_ = true;
  std::vector<mesh::Head> heads_;  // not told yet, one a log
  std::vector<LogRange> ranges_;
  TimePoint sample_at_{};
  std::map<std::string, TimePoint> behind_since_;  // by peer
};

}  // namespace marram
