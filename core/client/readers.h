// The subscriptions of a client, kept across sessions.
//
// When a session begins every subscription is opened again: a durable consumer
// goes on at its cursor, an ephemeral one behind the last event that it was
// given.  What the user settled while there was no session is remembered, and
// settled when the node hands it out again.
//
// Positions on the user's side of it have the numbers of LogNumbers, those in frames
// the node's.
//
//     Waiting --session--> Asked --OPENED--> Open --ENDED--> gone
//        ^                   |                |
//        +---- session lost -+----------------+
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/client/log_numbers.h"
#include "core/event/bus.h"
#include "core/wire/frames.h"

namespace marram::client {

class Readers {
 public:
  explicit Readers(LogNumbers& numbers) : numbers_(numbers) {}

  void open(SubscriptionId id, SubscribeOptions options, ListenerPtr listener, TimePoint now);
  void change(SubscriptionId id, std::vector<std::string> filters, std::string attributes);
  void settle(SubscriptionId id, std::span<const Position> positions, Settle how, Duration delay);
  void close(SubscriptionId id);

  void start();      // a session has begun, and that of the numbers
  void stop();       // and is lost
  void close_all();  // asks the node to end them
  void end_all(const Error& error);
  // Ends those that were never open and have waited since before `asked`.
  void end_waiting(TimePoint asked, const Error& error);
  bool empty() const { return readers_.empty(); }

  void on_opened(const wire::OpenAnswer& answer);
  void on_changed(wire::ChangeAnswer answer);
  void on_deliver(wire::Deliver deliver);
  void on_gap(wire::GapNotice notice);
  void on_ended(wire::EndNotice notice);

  // Appends the frames to send, in order; acks of one reader have become one frame.
  void send(std::vector<std::string>& out);

 private:
  enum class State { Waiting, Asked, Open };
  struct Reader {
    SubscribeOptions options;
    ListenerPtr listener;
    TimePoint asked;
    State state = State::Waiting;
    bool known = false;                                           // Opened has been told
    bool closing = false;                                         // the node is asked to end it
    std::size_t changes = 0;                                      // not answered yet
    WallTime resume{};                                            // from when what is new is wanted
    std::unordered_map<std::uint32_t, std::uint64_t> handed_out;  // per log, the highest seq
    std::vector<Position> acks;  // to be sent, with the node's numbers
    std::set<Position> settled;  // not known to the node; when it comes again
    bool resumed = false;        // opened again at least once

    bool has_had(Position position) const;
    void keep_settled(std::span<const Position> positions);
  };

  void ask(SubscriptionId id, Reader& reader);
  void split(std::span<const Position> positions, std::vector<Position>& known,
             std::vector<Position>& earlier) const;
  void send_settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                   Duration delay);
  void send_acks(SubscriptionId id, Reader& reader);
  void hand_out(SubscriptionId id, Reader& reader, wire::Deliver deliver);
  void drop_known(SubscriptionId id, Reader& reader, wire::Deliver& deliver);

  LogNumbers& numbers_;
  std::unordered_map<SubscriptionId, Reader> readers_;
  std::vector<std::string> out_;
  std::vector<SubscriptionId> acked_;  // those with acks to send
  bool in_session_ = false;
};

}  // namespace marram::client
