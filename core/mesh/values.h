// What the mesh is told and what it answers, as values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/event/event.h"
#include "core/event/log_record.h"
#include "core/wire/link_frames.h"

namespace marram::mesh {

// Why an origin has no more what it had: its retention took it; and that before any of it was sent.
inline constexpr const char* kRetention = "retention";
inline constexpr const char* kUnclaimed = "unclaimed";

inline bool is_history(const Gap& gap) {
  return gap.reason == kRetention || gap.reason == kUnclaimed;
}

using SessionId = std::uint64_t;  // of one connection; given by the transport, never used twice
using Token = std::uint64_t;      // ties an answer to its question

struct Now {
  TimePoint steady;
  WallTime wall;
};

// --- what the mesh is told ---

// A connection, before its HELLO.
struct SessionInfo {
  SessionId id = 0;
  bool dialled = false;   // by this node
  std::string address;    // dialled: as in Dial; else the other end, for people
  std::string proven_id;  // the node id of the key that CURVE proved; empty on a plain link
  std::string key;        // that key, Z85
};

// What a reader of this node wants: a filter, and where it begins in a log where the
// reader has no cursor.
struct FilterStart {
  std::string filter;
  wire::Begin from;
  bool operator==(const FilterStart&) const = default;
};
struct Interest {
  std::uint64_t id = 0;
  std::string name;      // for status
  bool durable = false;  // what it needs is held for this node by others
  std::vector<FilterStart> filters;
  std::map<std::uint32_t, std::uint64_t> cursors;  // by log number: needs nothing up to here
};

// How far a log of this node's own goes.
struct Head {
  std::uint32_t log = 0;
  std::uint64_t head = 0;
  std::string head_id;  // id_text() of the event at head
};

// --- what it answers: to be carried out in order ---

struct SendFrame {
  SessionId session = 0;
  wire::LinkFrame frame;
};
// DATA of batch->events()[indices[i]].
struct SendData {
  SessionId session = 0;
  std::uint64_t want = 0;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
  EventBatchPtr batch;
  std::vector<std::uint32_t> indices;
};
// Answered by on_session_up() with this address, or on_dial_failed().
struct Dial {
  std::string address;
  std::string key;  // of the listener, Z85; empty: not known (the transport tries the trusted ones)
};
// To the LAN: that this node is there.
struct SendBeacon {
  bool asks = false;  // it has no link
};
// The connection is to be closed, after ERROR or BYE with `why` where `say`; answered by
// nothing: to the mesh it is gone already.
struct HangUp {
  SessionId session = 0;
  Error why;
  bool say = true;
};
// Answered by on_written().
struct WriteCopy {
  Token token = 0;
  CopyWrite write;
};
// Answered by on_read().  From the tail where it has the stretch, else from the disk.  Of a log
// in memory from the tail only; what is no longer there is a gap "memory".
struct ReadEvents {
  Token token = 0;
  std::uint32_t log = 0;
  std::uint64_t after = 0;           // reads what follows
  std::vector<std::string> filters;  // none: all
  std::size_t events_max = 512;
  std::size_t bytes_max = 256 << 10;
};
// Answered by on_time_found().
struct FindSeq {
  Token token = 0;
  std::uint32_t log = 0;
  WallTime time{};
};
// Answered by on_hold_not_saved() where they fail.
struct PutHold {
  HoldRecord hold;
};
struct RemoveHold {
  std::string peer;
  std::string stream;
};
struct MoveHolds {
  std::vector<HoldMove> moves;
};
struct SetPins {
  std::vector<Pin> pins;
};
struct SaveFacts {
  MeshFacts facts;
};
struct ForgetLog {
  std::uint32_t log = 0;
};
// An epoch of this node has forked: end_epoch(), then publish again what this run wrote to its
// logs, with the same ids.
struct StartEpochAgain {};
// Everything of `log` that matches the interest is stored in (after, upto], or a gap there.
// upto == kNoLimit: and in all that follows.  Replaces what was said before; the first one
// says where a reader without a cursor begins.
struct Readable {
  static constexpr std::uint64_t kNoLimit = UINT64_MAX;
  std::uint64_t interest = 0;
  std::uint32_t log = 0;
  std::uint64_t after = 0;
  std::uint64_t upto = kNoLimit;
};
// What peers have stored of an own log of this run: one stretch a peer, from where it began to
// keep the log whole.  Of absent peers the last that they said.
struct Replicated {
  struct Copy {
    std::uint64_t from = 1;
    std::uint64_t upto = 0;
    bool operator==(const Copy&) const = default;
  };
  std::uint32_t log = 0;
  std::vector<Copy> stored;
};
// Worth a line in the log and a count.
struct Report {
  enum class What {
    Refused,   // a peer: bad HELLO, broken protocol
    TwoNodes,  // a second live node with the same key
    Forked,    // two events with one position
    Lost,      // a gap was declared: no whole copy has it
    Hole,      // a reader waits for what nobody reachable has
    Older,     // others have more of what this node wrote than its store has
    PeerUp,
    PeerDown,
    Found,  // heard by the beacon, and not reached otherwise; the message is its address
  };
  What what;
  std::string peer;  // node id, where there is one
  std::string message;
};

using Action = std::variant<SendFrame, SendData, Dial, SendBeacon, HangUp, WriteCopy, ReadEvents,
                            FindSeq, PutHold, RemoveHold, MoveHolds, SetPins, SaveFacts, ForgetLog,
                            StartEpochAgain, Readable, Replicated, Report>;
using Actions = std::vector<Action>;

}  // namespace marram::mesh
