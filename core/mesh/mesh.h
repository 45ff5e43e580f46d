// The mesh as one node sees it: every decision of DESIGN's section on it, without a
// socket, a clock, a thread or a database.
//
// A Mesh is told what happened and answers with actions for the loop to carry out, in
// order.  It is made of parts that do not know each other; only this class lets them
// meet:
//
//     frames, sessions --> Link          one session: handshake, credit, frames' sizes, liveness
//                          Membership    whom to dial
//     beacons -----------> Beacons       whom of the LAN to dial, when to be heard
//                          Map           records of all nodes, roots, paths
//     interests ---------> Copies        what this node wants of which log (Demand), from whom
//     WANTs -------------> Serving       what is sent to whom, in which order
//     ACKs, absence -----> Custody       what is held for whom
//
// Threads: the loop's only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/event/stream.h"
#include "core/mesh/status.h"
#include "core/mesh/values.h"

namespace marram::mesh {

struct MeshOptions {
  std::string node_id;
  std::string name;
  std::string key;                     // CURVE public key, Z85; empty where links are plain
  std::string instance;                // random, of this run
  std::vector<std::string> seeds;      // to be dialled
  std::vector<std::string> addresses;  // where this node can be dialled, told to peers
  std::vector<std::string> carry;      // stream names, or "*"
  StreamTable streams;
  Limits limits;
  std::uint64_t random_seed = 0;  // of jitter
  bool clock_suspect = false;
  bool beacon = false;  // say to the LAN where this node is, and dial whom it hears

  Duration silent_after = std::chrono::seconds(15);
  Duration redial_min = std::chrono::milliseconds(200);
  Duration redial_max = std::chrono::seconds(30);
  Duration gather = std::chrono::milliseconds(50);   // changes of wants
  Duration keep_upstream = std::chrono::seconds(1);  // that still delivers, when the map changes
  Duration repair_after = std::chrono::milliseconds(500);  // at least; else two round trips
  Duration hold_away_max = std::chrono::hours(24 * 30);    // of a hold, and of a hole that waits
  Duration lost_after = std::chrono::seconds(5);           // in a closed log, said by its origin
  // Of a wait for what an origin has trimmed, while every node that is known can be reached.
  Duration stuck_max = std::chrono::hours(24);
  std::uint64_t window_bytes = 4 << 20;  // a peer may send before CREDIT
  std::size_t sessions_max = 4096;
  std::size_t nodes_max = 16'384;  // in the map
  std::size_t logs_max = 65'536;   // known, not only stored; some 4 KB each
  std::size_t wants_per_peer_max = 65'536;
};

class Mesh {
 public:
  // `logs` and `records`: what the store had when it was opened.
  Mesh(MeshOptions options, const std::vector<LogRecord>& logs, const MeshRecords& records,
       Now now);
  ~Mesh();

  // --- from the transport ---
  void on_session_up(const SessionInfo& session, Now now, Actions& out);
  // Frames of one session, in order.
  void on_frame(SessionId session, wire::LinkFrame frame, Now now, Actions& out);
  // Bytes that are no frame, too large a frame, a broken connection.
  void on_session_down(SessionId session, const Error& why, Now now, Actions& out);
  // Whether it is being dialled because of more than a beacon.
  bool dials(const std::string& address) const;
  // `refused`: somebody is there, but will not have this node, or is not to be had.
  void on_dial_failed(const std::string& address, bool refused, Now now, Actions& out);

  // --- from the readers here ---
  // New, or changed (same id).  Those of durable readers are put before the first session, so that
  // nobody is told too early that he need not hold for this node.
  // Every log that is no own open one stays unread by it until the first Readable.
  void put_interest(Interest interest, Now now, Actions& out);
  void drop_interest(std::uint64_t id, Now now, Actions& out);
  // A durable interest's cursors have moved, on disk, in one of its logs.
  void move_cursor(std::uint64_t interest, std::uint32_t log, std::uint64_t upto, Now now,
                   Actions& out);

  // --- from the store, in its order ---
  void on_log_opened(const LogRecord& log, Now now, Actions& out);
  // Own open logs only; of copies on_copied() tells.
  void on_committed(std::span<const Head> heads, Now now, Actions& out);
  void on_copied(const LogRecord& log, Now now, Actions& out);
  void on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill, Now now,
                     Actions& out);
  void on_trimmed(std::uint32_t log, std::uint64_t first, Now now, Actions& out);
  void on_log_forgotten(std::uint32_t log, Now now, Actions& out);

  // --- answers to actions ---
  void on_written(Token token, const Result<std::uint32_t>& log, Now now, Actions& out);
  void on_read(Token token, Result<ReadResult> read, Now now, Actions& out);
  void on_time_found(Token token, const Result<std::uint64_t>& seq, Now now, Actions& out);
  // A PutHold or RemoveHold that failed.
  void on_hold_not_saved(const std::string& peer, const std::string& stream, Now now, Actions& out);

  // --- from the operator ---
  void add_seed(const std::string& address, Now now, Actions& out);
  // Hangs up, and forgets what is held for it.
  void revoke(const std::string& node_id, Now now, Actions& out);
  // The beacon of a trusted key was heard: `peer` has the address that it came from.  `asks`: it
  // wants to hear this node's.
  void on_beacon(const wire::PeerRecord& peer, bool asks, Now now, Actions& out);

  // To be called after any of the above, however many, and at wake_at(): what they made
  // possible.
  void on_tick(Now now, Actions& out);
  std::optional<TimePoint> wake_at() const;
  // BYE to everybody.
  void stop(Now now, Actions& out);

  MeshStatus status() const;
  std::vector<wire::MapRecord> map() const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace marram::mesh
