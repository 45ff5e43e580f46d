// What a Mesh is made of; for core/mesh/mesh*.cc only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/mesh/beacons.h"
#include "core/mesh/copies.h"
#include "core/mesh/custody.h"
#include "core/mesh/demand.h"
#include "core/mesh/link.h"
#include "core/mesh/logs.h"
#include "core/mesh/map.h"
#include "core/mesh/membership.h"
#include "core/mesh/mesh.h"
#include "core/mesh/roll.h"
#include "core/mesh/serving.h"
#include "core/mesh/sources.h"

namespace marram::mesh {

struct Mesh::Body {
  // What a neighbour has been told of a log with HAVE.
  struct Said {
    std::uint64_t first = 0;
    std::uint64_t upto = 0;
  };
  // A session whose peer has another one that seems alive.  What it says waits.
  struct Probe {
    SessionId old = 0;
    TimePoint since{};
    std::vector<wire::LinkFrame> frames;
    std::size_t bytes = 0;  // about what they take in memory
  };

  Body(MeshOptions the_options, const std::vector<LogRecord>& records, const MeshRecords& mesh,
       Now now);

  // mesh_links.cc: sessions
  void session_up(const SessionInfo& session, Now now, Actions& out);
  const Link* dialled(const std::string& address);
  void greet(Link& link, const wire::LinkHello& hello, Now now, Actions& out);
  bool settle_double(Link& link, Link& old, Now now, Actions& out);
  bool replaces(Link& link, Link& old, Now now, Actions& out);
  void begin_probe(Link& link, Link& old, Now now, Actions& out);
  void end_probe(Link& link, Probe probe, Now now, Actions& out);
  void go_live(Link& link, Now now, Actions& out);
  void refuse(Link& link, const Error& why, Now now, Actions& out);
  void close(SessionId id, const Error& why, Now now, Actions& out);
  void dial_failed(const std::string& address, bool for_long, Now now);
  void tick_beacons(Now now, Actions& out);
  void update_links();
  void check_probes(Now now, Actions& out);
  void tick_links(Now now, Actions& out);

  // mesh_frames.cc: what peers say
  Status hear(Link& link, wire::LinkFrame frame, Now now, Actions& out);
  Status take(Link& link, wire::LinkFrame& frame, std::uint64_t bytes, Now now, Actions& out);
  Status on(Link& link, wire::Peers& peers, Now now, Actions& out);
  Status on(Link& link, wire::State& state, Now now, Actions& out);
  Status on(Link& link, wire::Have& have, Now now, Actions& out);
  Status on(Link& link, wire::Held& held, Now now, Actions& out);
  Status on(Link& link, wire::Want& want, Now now, Actions& out);
  Status on(Link& link, wire::Stop& stop, Now now, Actions& out);
  Status on(Link& link, wire::Release& release, Now now, Actions& out);
  Status on(Link& link, wire::Expect& expect, Now now, Actions& out);
  Status on(Link& link, wire::Ack& ack, Now now, Actions& out);
  void take_record(Link& link, wire::MapRecord& record, Now now, Actions& out);
  void hear_of_run(const std::string& epoch);
  void note_listed(const wire::MapRecord& record, bool by_others);
  void note_announced(const wire::MapRecord& record, Now now);
  void note_older(const Log& log, Actions& out);

  // mesh_map.cc: what this node says
  wire::MapRecord own_record();
  void publish(Now now, Actions& out);
  void own_news();
  void send_known(Link& link, Actions& out);
  void send_records(SessionId session, const std::vector<const wire::MapRecord*>& records,
                    Actions& out);
  void flood(Actions& out);
  void tell_have(Now now, Actions& out);
  bool takes_part(const std::string& peer) const;
  static Said has(const Log& log);
  void say_have(Link& link, const Log& log, Actions& out);
  void add_have(wire::Have& have, Link& link, Log& log, bool first_time);
  void send_acks(Actions& out);
  void reassure(Now now, Actions& out);
  void set_pins(Now now, Actions& out);
  wire::Expect expectation() const;
  void tell_expectation(Now now, Actions& out);
  void take_held(Link& link, const std::vector<wire::HeldEntry>& held, Now now);
  struct Unwanted {
    TimePoint due{};  // let go of then
    std::vector<wire::HeldEntry> logs;
  };
  Unwanted* doubt(Link& link, const std::string& stream, Now now, Actions& out);
  void let_go(Link& link, const std::string& stream, Actions& out);
  void end_doubts(Now now, Actions& out);

  // mesh_logs.cc: logs and what is needed of them
  // Null: too many are known.  Never of one that is `stored`.  `open`: what its origin says of it.
  Log* know(const LogId& id, Now now, bool stored = false, const wire::OpenLog* open = nullptr);
  void set_record(Log& log, const LogRecord& record);
  bool follows(const Interest& interest, const Log& log) const;
  void owe_newborn(Need& need, const Log& log) const;
  Need need_of(const Log& log) const;
  void plan(Log& log, Now now, Actions& out);
  void plan_all(Now now, Actions& out);
  void mark(const Log& log, TimePoint at);
  void mark_all(TimePoint at);
  void call_roll(Now now);
  bool carries(const std::string& stream) const;
  bool wants_stream(const std::string& stream, const std::string& but_for) const;
  void changed(Log& log, Now now);
  void take_forks(Actions& out);
  void start_epoch_again(TimePoint now, Actions& out);
  void sweep(Now now, Actions& out);
  void dial_owed(Now now, Actions& out);
  void tell_peers(Now now, Actions& out);
  void tick(Now now, Actions& out);
  std::optional<TimePoint> wake_at() const;

  const MeshOptions options;
  LinkOptions link_options;
  Logs logs;
  Map map;
  Links links;
  Roll roll;
  Sources sources;
  Membership membership;
  Beacons beacons;
  Readers readers;
  Copies copies;
  Serving serving;
  Custody custody;

  MeshFacts facts;
  bool facts_changed = false;
  std::map<std::uint32_t, TimePoint> marked;  // logs to be planned, when
  std::uint64_t planned_version = 0;          // of the map
  TimePoint plan_at{};                        // not all of them before
  std::uint64_t roll_version = 0;             // of the map, when the roll was called
  TimePoint roll_at{};                        // not before
  std::map<SessionId, Probe> probes;
  std::set<SessionId> given_up;     // by the peer, as its record says
  std::set<SessionId> heard_state;  // their first STATE is in
  std::map<SessionId, std::size_t> peers_told;
  std::map<std::pair<SessionId, std::string>, Unwanted> unwanted;  // and the stream
  TimePoint unwanted_at{};                                         // looked at again then

  bool own_changed = true;
  TimePoint own_at{};         // not looked at before, however much others say
  bool heard_itself = false;  // an old record of this node is about
  TimePoint published_at{};
  TimePoint link_at{};  // a link came up last
  wire::MapRecord published;
  std::map<std::string, SessionId> floods;  // nodes whose records go out, and who told

  wire::Expect expects;         // as peers have been told
  bool expects_changed = true;  // perhaps
  TimePoint expects_at{};       // not told before

  std::map<SessionId, std::map<std::uint32_t, Said>> said;
  std::set<std::uint32_t> have_changed;
  TimePoint have_at{};
  std::optional<TimePoint> reassure_at;  // somebody sends to this node
  bool pins_changed = false;
  bool pins_lowered = false;  // perhaps: there is another want
  TimePoint pins_at{};
  std::map<std::uint32_t, std::uint64_t> pins;
  std::map<std::uint32_t, std::map<std::string, Replicated::Copy>> replicas;  // by log, peer
  std::map<std::uint32_t, TimePoint> empty_since;                             // closed logs
  TimePoint sweep_at{};
  TimePoint owed_at{};     // looked at again
  TimePoint epoch_at{};    // of the next epoch because of a fork, as a bucket of three counts
  bool epoch_due = false;  // it waits for that
  bool logs_full = false;  // one was passed over
  TimePoint peers_at{};
  std::map<std::string, TimePoint> passed_on;  // questions for nodes; not again before
  TimePoint last_tick{};
  std::uint64_t refused = 0;
  std::uint64_t runs_stored = 0;  // start number of the newest run that the store knows
  bool told_older = false;
};

}  // namespace marram::mesh
