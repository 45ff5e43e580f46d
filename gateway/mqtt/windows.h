// What a session has taken and not acknowledged, and what it has sent and has no
// acknowledgement for.  Both take no memory while there is nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/event/event.h"
#include "gateway/mqtt/protocol.h"

namespace marram::mqtt {

// PUBACKs that are owed, in the order in which they must go out (MQTT 5, 4.6).
// An answer that is known at once waits behind those that the store still owes.
class AckQueue {
 public:
  void push(std::uint16_t packet_id);

  // What is to be said for the oldest one of that id that has no answer yet.
  void answer(std::uint16_t packet_id, Reason reason);

  // Appends all PUBACKs whose turn it is.
  void flush(Version version, std::string& out);

  std::size_t size() const { return entries_.size() - first_; }

 private:
  struct Entry {
    std::uint16_t packet_id;
    Reason reason;
    bool answered;
  };
  std::vector<Entry> entries_;
  std::size_t first_ = 0;  // oldest that is owed
  std::size_t next_ = 0;   // most answers are for this one
};

// Packet ids of PUBLISHes on their way to the client, and the events they carry.
class OutWindow {
 public:
  // A free packet id for an event.
  std::uint16_t add(Position position);
  // Empty for an id that is not in use.
  std::optional<Position> take(std::uint16_t packet_id);
  std::size_t size() const { return used_; }

 private:
  struct Slot {
    std::uint16_t packet_id = 0;  // 0: free
    Position position;
  };
  void grow();
  Slot& slot_of(std::uint16_t packet_id) { return slots_[packet_id & (slots_.size() - 1)]; }

  std::vector<Slot> slots_;  // a power of two, at least twice what is used
  std::size_t used_ = 0;
  std::uint16_t next_ = 1;
};

}  // namespace marram::mqtt
