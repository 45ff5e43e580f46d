// The frames of a link between two nodes, as values.
//
// docs/wire.md is their one home (grammar, states, limits); here is what the
// elements become in memory, in the same order.  PING, PONG, ERROR and BYE are those
// of core/wire/frames.h; HELLO has verb 1 and the elements of a client's HELLO with
// role "node", then its own.
//
//     dialler: HELLO ->   <- HELLO :listener      then both send what they like
//
// Whatever speaks of a log (HAVE HELD WANT STOP RELEASE PART DATA UPTO GAP ACK) stays
// in order with that log's data.  PING, PONG, CREDIT, STATE, PEERS may overtake data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/event/event.h"
#include "core/event/stream.h"
#include "core/wire/frames.h"

namespace marram::wire {

inline constexpr std::string_view kRoleNode = "node";

inline constexpr std::size_t kLinkFrameBytesMax = 1 << 20;  // also in the handshake's HELLO
inline constexpr std::size_t kPartBytesMax = 64 << 10;      // of one PART
inline constexpr std::size_t kLinkEventsMax = 4096;         // of one DATA
inline constexpr std::size_t kLinkFiltersMax = 1000;    // of one WANT, EXPECT; more: ask for all
inline constexpr std::size_t kExpectStreamsMax = 1000;  // of one EXPECT; more: "*"
inline constexpr std::size_t kLogsPerFrameMax = 1024;   // of HAVE, HELD, ACK, RELEASE
inline constexpr std::size_t kPeersPerFrameMax = 256;   // of PEERS
inline constexpr std::size_t kAddressesMax = 8;         // of one node
inline constexpr std::size_t kAddressBytesMax = 256;
inline constexpr std::size_t kRecordsPerFrameMax = 256;   // of STATE
inline constexpr std::size_t kKnownPerFrameMax = 16'384;  // of STATE: all nodes that a map holds
inline constexpr std::size_t kNeighboursMax = 2048;       // of one map record
inline constexpr std::size_t kOpenLogsMax = 1024;         // of one map record
inline constexpr std::size_t kCopiesMax = 4096;           // of one map record
inline constexpr std::size_t kStreamTopicsMax = 64;       // of one announced log; more: any topic
inline constexpr std::size_t kIdBytesMax = 256;           // ids, names, epochs, streams, reasons
inline constexpr std::size_t kKeyBytes = 40;              // of a CURVE key in Z85
inline constexpr std::size_t kReasonBytesMax = 4096;      // message of ERROR, BYE
inline constexpr std::uint64_t kSeqMax = (std::uint64_t{1} << Position::kSeqBits) - 1;
inline constexpr Duration kLinkDurationMax = std::chrono::hours(24 * 3650);

// Verbs of links; Hello, Ping, Pong, Error, Bye are in Verb.
enum class LinkVerb : std::uint8_t {
  Peers = 64,
  State = 65,
  Have = 66,
  Held = 67,
  Want = 68,
  Stop = 69,
  Release = 70,
  Data = 71,
  Upto = 72,
  Gap = 73,
  Ack = 74,
  Credit = 75,
  Part = 76,
  Expect = 128,  // who does not know it passes it over
};

// Verb 1.  Before it nothing else is answered.
struct LinkHello {
  std::uint32_t low = kVersionLow;
  std::uint32_t high = kVersionHigh;
  std::string name;         // of the node, for people
  std::string instance;     // random, the same during one run: tells two nodes with one key apart
  Duration silent_after{};  // the sender gives up a peer that is silent for this long
  std::string node_id;      // must be the one that the proven key gives
  std::uint64_t window_bytes = 0;      // what the receiver of this may send before CREDIT
  std::uint64_t event_bytes_max = 0;   // packed; larger events are not wanted (GAP too_large)
  std::vector<std::string> addresses;  // where the sender can be dialled; none behind NAT
};

// Somebody who can be dialled.
struct PeerRecord {
  std::string node_id;
  std::string key;  // CURVE public key, Z85; empty where links are plain
  std::vector<std::string> addresses;
  Duration age{};  // since a node that had a link with it said so
};
struct Peers {
  std::vector<PeerRecord> peers;
};

struct Neighbour {
  std::string node_id;
  std::uint32_t cost = 1;  // 1 to 65,535
};
// A log that its origin writes now.
struct OpenLog {
  std::string epoch;
  std::string stream;
  std::vector<std::string> topics;  // filters; none: any topic
  Durability durability = Durability::Fsync;
  Priority priority = Priority::Normal;
};
// A copy of a log whose origin is away or has closed it.
struct CopyNote {
  LogId log;
  std::uint64_t first = 1;  // everything from here ...
  std::uint64_t upto = 0;   // ... to here; first == upto + 1: nothing, but it goes so far
};
// What one node floods.  The newer number wins.
struct MapRecord {
  std::string node_id;
  std::uint64_t number = 0;
  std::string instance;
  std::string name;
  bool clock_suspect = false;  // its clock has not been set, or went back
  std::vector<Neighbour> neighbours;
  std::vector<OpenLog> open;
  std::vector<CopyNote> copies;
  bool misses = false;  // it knew a node, before it was started, that no record tells of
};
struct KnownRecord {
  std::string node_id;
  std::uint64_t number = 0;
};
// `known`: what the sender has; the receiver answers with what it has newer.  Sent at the
// start of a session; afterwards records alone, as they change.
struct State {
  std::vector<KnownRecord> known;
  std::vector<MapRecord> records;
};

// What the sender can be asked for: everything in first..upto.  first == upto + 1: no
// longer anything.  `id` is that of the event at upto, empty where it is not stored.
struct HaveEntry {
  LogId log;
  std::uint64_t first = 1;
  std::uint64_t upto = 0;
  std::string id;
};
struct Have {
  std::vector<HaveEntry> logs;
};

// What the sender keeps for the receiver, told once at the start of a session, stream by
// stream; a stream without logs is held too (for logs to come).
struct HeldEntry {
  LogId log;
  std::uint64_t acked = 0;
};
struct Held {
  std::string stream;
  std::vector<HeldEntry> logs;
};

// Where a want begins.
struct Begin {
  enum class At : std::uint8_t {
    Seq = 0,   // at `seq`
    Time = 1,  // at the first event recorded at or after `time`; behind the head: there
    Head = 2,  // behind the head
  };
  At at = At::Seq;
  std::uint64_t seq = 1;
  WallTime time{};
  bool operator==(const Begin&) const = default;
};

enum class WantKind : std::uint8_t {
  Main = 0,      // waits at the head; one a log
  Backfill = 1,  // ends at `to`, at low priority; one a log
  Repair = 2,    // ends with what the answerer has, is never answered by GAP; one a log
};

// Replaces the sender's earlier want of the same log and kind.  Numbers grow in a session:
// odd ones are the dialler's, even ones the listener's.
struct Want {
  std::uint64_t number = 0;
  LogId log;
  WantKind kind = WantKind::Main;
  bool standing = false;  // for durable interests: hold for me, also while I am away
  bool all = true;        // false: `filters` only
  std::vector<std::string> filters;
  Begin from;
  std::uint64_t to = 0;  // Backfill: the last position wanted
  std::string id;        // of the event at from - 1, where the sender has it
  // From here on the sender has promised the events to others, or to durable readers of its own;
  // 0: nothing.
  std::uint64_t owed = 0;
};
// Ends the data of a want, not the hold.  From the answerer: the want is over (its log is
// not to be had here, or a repair has had what there is).
struct Stop {
  std::uint64_t want = 0;
};
// Ends the hold for these logs, or for the stream as a whole (no logs).
struct Release {
  std::string stream;
  std::vector<LogId> logs;
};

// What the sender will want, standing, of logs that there are not yet: of topics that match the
// filters of its durable readers, and of the streams that it carries ("*": all).  Replaces what it
// said before; before the first one it is nothing.
struct Expect {
  std::vector<std::string> filters;
  std::vector<std::string> streams;
  bool operator==(const Expect&) const = default;
};

// Events in answer to a want: with them, and the gaps told before, the receiver has
// everything that matches in (after, upto].  Each event has seq (in position, log 0),
// recorded, and the rest as published.  See encode_data() for sending.
struct Data {
  std::uint64_t want = 0;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
  std::unique_ptr<EventBatch> batch;
};
// Data without events.  The first answer to a want from Time or Head says with `after`
// where it begins.
struct Upto {
  std::uint64_t want = 0;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
};
// Counts with the next DATA or UPTO of the want that passes `to`.  Events still stored in
// the range come in DATA all the same.
struct LinkGap {
  std::uint64_t want = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::string reason;
};
// A stretch of an event (as pack_event() makes it) too large for one frame.  Stretches
// of one event come in order from offset 0; the last one counts as its DATA.  Of one want, nothing
// else comes between them.
struct Part {
  std::uint64_t want = 0;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;
  std::string bytes;
};

// `acked`: everything up to here the sender needs no more from anybody.  `stored`: it has
// a whole copy up to here (a replica); 0: filtered.
struct AckEntry {
  LogId log;
  std::uint64_t acked = 0;
  std::uint64_t stored = 0;
};
struct Ack {
  std::vector<AckEntry> logs;
};
// The receiver of this may have sent so many bytes of data since the session began;
// counted by credit_bytes().
struct Credit {
  std::uint64_t granted = 0;
};

using LinkFrame =
    std::variant<LinkHello, Peers, State, Have, Held, Want, Stop, Release, Expect, Data, Upto,
                 LinkGap, Part, Ack, Credit, Ping, Pong, Broken, Bye, Unknown>;

// What a frame takes of the receiver's window, the same on both sides; 0: not data.
// DATA: 64 + for each event its bytes() and 64.  PART: 64 + bytes.  UPTO, GAP: 64.
inline constexpr std::size_t kFrameCredit = 64;
inline constexpr std::size_t kEventCredit = 64;

}  // namespace marram::wire
