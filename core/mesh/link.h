// One session with a peer: greeting, signs of life, credit both ways.
//
//     Greeting --its HELLO is good--> Live --silent, broken, BYE--> Over
//
// The dialler speaks first; the listener's HELLO is its answer.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/mesh/pace.h"
#include "core/mesh/values.h"

namespace marram::mesh {

struct LinkOptions {
  wire::LinkHello hello;  // ours
  Duration greeting_max = std::chrono::seconds(10);
};

class Link {
 public:
  // `options` outlives the link.
  Link(SessionInfo info, const LinkOptions& options, TimePoint now, Actions& out);

  // Errors: Version, Unsupported, Refused, Protocol  the session is to be given up, and why
  Status on_hello(const wire::LinkHello& hello, TimePoint now, Actions& out);
  // PING, PONG, CREDIT.  Any frame, and what it takes of our window.  Errors: Protocol
  Status on_frame(const wire::LinkFrame& frame, std::uint64_t credit_bytes, TimePoint now,
                  Actions& out);
  // Data that was received is stored, or dropped.
  void release(std::uint64_t bytes) { released_ += bytes; }
  // Something other than PING has been sent.
  void on_sent(TimePoint now) { spoke_at_ = now; }
  void on_data_sent(std::uint64_t bytes, TimePoint now);

  // Errors: TimedOut  the peer is silent
  Status on_tick(TimePoint now, Actions& out);
  TimePoint wake_at() const;
  // Something was under way, the peer was asked, and nothing has come since: the path is
  // away, or is back already while the connection waits for its next try, which may take as
  // long as the path was away.  It is given up in a third of the time.  Of sessions that this
  // node dialled: who listens cannot dial.
  bool stuck() const { return stuck_; }
  // Asks for a sign of life at once; last_heard() tells.
  void probe(TimePoint now, Actions& out) { ping(now, out); }

  const SessionInfo& info() const { return info_; }
  SessionId id() const { return info_.id; }
  bool live() const { return live_; }
  TimePoint live_since() const { return live_since_; }
  const wire::LinkHello& peer() const { return peer_; }
  Pace& pace() { return pace_; }
  const Pace& pace() const { return pace_; }
  // Empty before the first PONG.
  std::optional<Duration> round_trip() const { return round_trip_; }
  // For the map: grows with the shortest round trip seen, in steps of two; what waits in
  // queues under load is not the link's.
  std::uint32_t cost() const { return cost_; }
  // A record of the peer has listed this node since.
  bool listed() const { return listed_; }
  void set_listed() { listed_ = true; }
  TimePoint last_heard() const { return heard_at_; }
  // When data came last, if only to say that more will, and when events did.
  TimePoint last_data() const { return data_at_; }
  TimePoint last_events() const { return events_at_; }
  // When data was sent last.
  TimePoint last_data_sent() const { return data_sent_at_; }
  // Numbers of wants that this node sends: odd ones by the dialler, even ones by the listener.
  std::uint64_t next_want() { return 2 * ++wants_ - (info_.dialled ? 1 : 0); }
  bool is_own_want(std::uint64_t number) const { return (number % 2 == 1) == info_.dialled; }
  std::uint64_t held_bytes() const { return received_ - released_; }

 private:
  void ping(TimePoint now, Actions& out);
  void on_pong(std::uint64_t number, TimePoint now);
  void give_credit(Actions& out, TimePoint now);
  // When the peer is asked, and when it is stuck, if nothing comes until then.
  std::optional<TimePoint> asks_early_at() const;
  std::optional<TimePoint> stuck_at() const;

  SessionInfo info_;
  const LinkOptions& options_;
  wire::LinkHello peer_;
  bool live_ = false;
  bool listed_ = false;
  bool greeted_ = false;  // our HELLO is out
  bool stuck_ = false;
  TimePoint began_;
  TimePoint live_since_{};
  Duration greeting_took_{};
  TimePoint heard_at_;
  TimePoint spoke_at_;
  TimePoint data_at_;
  TimePoint events_at_{};
  TimePoint data_sent_at_;
  std::uint64_t ping_no_ = 0;
  std::optional<TimePoint> pinged_at_;  // the PING that waits for its PONG
  TimePoint asked_at_{};                // the last PING
  std::optional<Duration> round_trip_;
  std::optional<Duration> shortest_;
  std::uint32_t cost_ = 1;
  Pace pace_;
  std::uint64_t received_ = 0;  // data, in bytes of credit
  std::uint64_t released_ = 0;
  std::uint64_t granted_ = 0;
  std::uint64_t wants_ = 0;
};

// The sessions there are, and the one that is the link with a peer.
class Links {
 public:
  Link& add(std::unique_ptr<Link> link) {
    const SessionId id = link->id();
    return *(links_[id] = std::move(link));
  }
  Link* find(SessionId id) {
    const auto found = links_.find(id);
    return found == links_.end() ? nullptr : found->second.get();
  }
  Link* live(const std::string& peer) {
    const auto found = live_.find(peer);
    return found == live_.end() ? nullptr : find(found->second);
  }
  void set_live(const std::string& peer, SessionId id) { live_[peer] = id; }
  void erase(SessionId id) {
    std::erase_if(live_, [&](const auto& item) { return item.second == id; });
    links_.erase(id);
  }
  const std::map<std::string, SessionId>& peers() const { return live_; }
  const std::map<SessionId, std::unique_ptr<Link>>& all() const { return links_; }

 private:
  std::map<SessionId, std::unique_ptr<Link>> links_;
  std::map<std::string, SessionId> live_;
};

}  // namespace marram::mesh
