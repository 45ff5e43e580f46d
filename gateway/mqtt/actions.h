// What a Session asks of the listener.
//
// Bytes, events, and settled positions are gathered over many packets; commands
// are rare, and are carried out in their order after them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/event/bus.h"
#include "gateway/mqtt/protocol.h"
#include "gateway/mqtt/subscriptions.h"

namespace marram::mqtt {

// Answered by on_authenticated().
struct Authenticate {
  std::string client_id;
  std::optional<std::string> user;  // none: anonymous
  std::string password;
};

// The client id is to be this connection's alone: another one that has it is
// taken over.  A clean start forgets what is stored.  Answered by on_claimed().
struct Claim {
  std::string client_id;
  bool clean_start = true;
  bool persistent = false;
};

// Open, change and close the one subscription of the session.
struct Open {
  SubscribeOptions options;
};
struct Change {
  std::vector<std::string> filters;
  std::string attributes;
};
struct Leave {
  bool forget = false;  // and remove the durable consumer
};

// End the connection when all bytes are out.  With `linger` only our direction,
// so that the other side reads our reason before it learns of the end.
struct Close {
  bool linger = false;
  Reason reason = Reason::Success;  // an error: why we end it
};

using Command = std::variant<Authenticate, Claim, Open, Change, Leave, Close>;

// What went through the sessions, for status.
struct Tally {
  std::array<std::uint64_t, 2> received{};  // PUBLISH by QoS
  std::array<std::uint64_t, 2> sent{};
  std::array<std::uint64_t, 256> refused{};  // by reason code: publishes, filters, connections
  std::uint64_t acknowledged = 0;            // PUBACK with success
  std::uint64_t expired = 0;                 // not sent: the message expiry had passed
  std::uint64_t too_large = 0;               // not sent: over the client's Maximum Packet Size
  std::uint64_t retain_ignored = 0;          // 3.1.1 publishes with the retain flag
  std::uint64_t dropped = 0;                 // QoS 0 publishes that were refused
  std::uint64_t connects = 0;
};

struct Actions {
  std::string bytes;              // to send, in order
  std::vector<Position> settled;  // to settle with Ack
  std::vector<Command> commands;

  // Events go straight into `events`; of each the packet id, 0 at QoS 0.
  EventBatch* events = nullptr;
  UuidMaker* ids = nullptr;
  std::vector<std::uint16_t> packet_ids;
  Tally* tally = nullptr;

  // Memory that is used again; its content means nothing.
  std::string scratch;
  Outgoing outgoing;

  void take(const EventView& event, std::uint16_t packet_id, WallTime now) {
    events->add(event, now, *ids);
    packet_ids.push_back(packet_id);
  }
  void refuse(Reason reason) const { ++tally->refused[static_cast<std::uint8_t>(reason)]; }
};

}  // namespace marram::mqtt
