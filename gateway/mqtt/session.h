// One client's conversation, without a socket.
//
// A Session decides; it never acts.  It is told what happened (a packet came, the
// store answered, events arrived, time passed) and answers with Actions.
//
//     Silent --CONNECT--> Proving --user is right--> Claiming --id is ours-->
//       [Resuming --stored subscription is open-->] Connected
//     any state --refusal, DISCONNECT, take-over, silence--> Over
//
// Only Silent and Connected take packets; in between the listener keeps them.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/event/bus.h"
#include "gateway/mqtt/access.h"
#include "gateway/mqtt/actions.h"
#include "gateway/mqtt/event_mapping.h"
#include "gateway/mqtt/mqtt_limits.h"
#include "gateway/mqtt/packet.h"
#include "gateway/mqtt/subscriptions.h"
#include "gateway/mqtt/windows.h"

namespace marram::mqtt {

struct Now {
  TimePoint steady{};
  WallTime wall{};
};

// The same for all sessions of a listener.
struct SessionRules {
  MqttLimits mqtt;
  Limits limits;
};

class Session {
 public:
  // `spare_id` is the client's id if it gives none.  `rules` outlive the session.
  Session(const SessionRules& rules, std::string spare_id, TimePoint now);

  // --- what happened ---
  void on_frame(const Frame& frame, Now now, Actions& out);
  // Bytes that are no packet: MalformedPacket or PacketTooLarge.
  void on_bad_frame(Reason reason, Actions& out);
  // Null access: refused, for `refusal`.
  void on_authenticated(AccessPtr access, Reason refusal, Actions& out);
  // `stored`: the session that was kept for the client id.
  void on_claimed(std::optional<StoredSession> stored, Actions& out);
  void on_claim_refused(Reason reason, Actions& out);
  // The store has answered for events with these packet ids (0: QoS 0, which
  // nobody waits for).
  void on_stored(std::span<const std::uint16_t> packet_ids, Reason reason, Actions& out);
  void on_opened(Actions& out);
  void on_changed(const Status& status, Actions& out);
  void on_ended(const Error& error, Actions& out);
  void on_delivered(const Delivered& delivered, WallTime now, Actions& out);
  // All bytes so far are with the operating system.
  void on_sent(Actions& out);
  void on_taken_over(Actions& out) { disconnect(Reason::SessionTakenOver, "", out); }
  void on_shutdown(Actions& out) { disconnect(Reason::ServerShuttingDown, "", out); }
  void on_tick(TimePoint now, Actions& out);
  // Reading was held back until now; the silence is ours.
  void on_reading_again(TimePoint now) { last_packet_ = now; }

  // --- what is ---
  // When on_tick() next has something to do.
  std::optional<TimePoint> wake_at() const;
  bool takes_packets() const;
  bool over() const { return state_ == State::Over; }
  bool connected() const { return state_ == State::Connected; }
  std::size_t packet_bytes_max() const;
  std::size_t unacknowledged() const { return acks_.size(); }
  Version version() const { return version_; }
  const std::string& client_id() const { return client_id_; }
  // Whether it has the client id, and so may have something stored.
  bool claimed() const { return claimed_; }
  // What is to be kept, and how long, when the connection ends; 0: nothing.
  std::uint32_t expiry_s() const { return expiry_s_; }
  const Subscriptions& subscriptions() const { return subscriptions_; }
  bool durable() const { return durable_; }

 private:
  enum class State { Silent, Proving, Claiming, Resuming, Connected, Over };

  // A SUBSCRIBE or UNSUBSCRIBE that is not answered yet.
  struct Request {
    PacketType type;
    std::uint16_t packet_id;
    std::vector<Reason> codes;
    // By index of the code: what is to be put (or erased) into the subscriptions.
    struct Edit {
      std::size_t index;
      std::string filter;
      SubscriptionOptions options;
    };
    std::vector<Edit> edits;
  };

  // session_connect.cc
  void on_connect(const Frame& frame, Actions& out);
  Reason take_connect(const Connect& packet, Actions& out);
  void take_session_options(const Connect& packet);
  void refuse_connect(Reason reason, std::string_view why, Actions& out);
  void accept(bool session_present, Actions& out);
  SubscribeOptions subscribe_options() const;

  // session_publish.cc
  void on_publish(const Frame& frame, Now now, Actions& out);
  bool check_publish(const Publish& packet, Actions& out);
  void refuse_publish(const Publish& packet, Reason reason, Actions& out);
  void on_puback(const Frame& frame, Actions& out);
  void send_event(const EventView& event, bool again, WallTime now, Actions& out);

  // session_subscribe.cc
  void on_subscribe(const Frame& frame, Actions& out);
  void on_unsubscribe(const Frame& frame, Actions& out);
  Reason judge(const FilterRequest& request) const;
  void apply_waiting(Actions& out);
  void edit(Request& request);
  void answer_applied(Actions& out);
  void undo_applied(Reason reason, Actions& out);

  // session.cc
  void on_connected_frame(const Frame& frame, Now now, Actions& out);
  void on_disconnect(const Frame& frame, Actions& out);
  void disconnect(Reason reason, std::string_view why, Actions& out);
  void end(bool linger, Reason reason, Actions& out);

  const SessionRules& rules_;
  State state_ = State::Silent;
  Version version_ = Version::V311;
  bool clean_start_ = true;
  bool assigned_id_ = false;
  bool claimed_ = false;
  bool durable_ = false;      // its consumer has a name
  bool open_ = false;         // its subscription is open, or being opened
  bool tell_expiry_ = false;  // CONNACK must say what we made of the client's wishes
  std::uint16_t keep_alive_s_ = 0;
  std::uint16_t asked_keep_alive_s_ = 0;
  std::uint16_t in_flight_max_ = 0;
  std::uint32_t expiry_s_ = 0;
  std::size_t sendable_bytes_max_ = 0;  // the client's Maximum Packet Size
  std::string client_id_;
  AccessPtr access_;
  TimePoint last_packet_;
  Subscriptions subscriptions_;
  Subscriptions::Table before_;  // the requests that are being applied
  std::vector<Request> applying_;
  std::vector<Request> waiting_;
  AckQueue acks_;
  OutWindow out_window_;
  std::vector<Position> unsent_;  // QoS 0, in the buffer of the connection
};

// Why an event was not stored, in MQTT's words.
Reason reason_of(const Status& status);

// The name of the durable consumer of a client.
std::string consumer_name(std::string_view client_id);

}  // namespace marram::mqtt
