// What peers are sent: their wants, and the next frame to each of them.
//
// A want is answered in seq order from what this node has: its own log, a whole copy, the
// part of it that a backfill has filled in.  Catch-up and live are one path: a want with
// something to send is ready; a round of pump() takes the ready ones by priority, one frame each
// in turn, as long as the link has room.
//
//     asked --where it begins is known--> ready --read--> ready --all is sent--> at the head
//                                           ^------------ the log grows -------------|
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/mesh/demand.h"
#include "core/mesh/link.h"
#include "core/mesh/logs.h"

namespace marram::mesh {

// A want of a peer, as long as it stands.
struct Served {
  wire::Want want;
  SessionId session = 0;
  std::uint32_t log = 0;     // index
  bool located = false;      // where it begins is known
  bool sure = false;         // of a time: nothing of it lies below the copy
  std::uint64_t looked = 0;  // where the copy began when it was looked for
  bool answered = false;
  bool blocked = false;     // until something of the log changes
  bool follows = false;     // it has acknowledged something: who reads there has a right to go on
  bool over = false;        // to be ended: a repair that cannot be answered
  std::uint64_t begin = 0;  // once it is located
  std::uint64_t sent = 0;   // looked at, and sent where it matches, up to here
  std::uint64_t told = 0;   // the peer knows that
  std::uint64_t acked = 0;  // the peer needs nothing up to here
  TimePoint told_at{};
  Token asked = 0;        // a read or a look-up under way
  bool check_id = false;  // the event before is read too, and compared
  EventBatchPtr batch;    // read and not sent yet
  std::vector<std::uint32_t> indices;
  std::size_t next = 0;
  std::uint64_t upto = 0;  // where the batch ends
  std::uint64_t held = 0;  // bytes of batch and packed, as counted in the session
  std::vector<Gap> gaps;   // to be told before what passes them
  std::string packed;      // of a large event on its way in parts
  std::size_t offset = 0;
  std::optional<std::uint64_t> turn;  // in the list of the ready
};

class Serving {
 public:
  struct Options {
    std::size_t wants_per_peer_max = 65'536;
    std::size_t filter_bytes_per_peer_max = 64 << 20;
    std::size_t reads_per_peer_max = 4;
    // Read for a peer and not sent yet: then no more is read of low priority.  Twice and three
    // times as much: of normal and of high priority.
    std::uint64_t read_bytes_max = 1 << 20;
    Duration upto_every = std::chrono::seconds(2);  // of a log that grows by what does not match
  };
  // `logs` and `links` outlive the object.
  Serving(Options options, Logs& logs, Links& links);

  // --- from the peer ---
  // Errors: Protocol, TooLarge  the session is to be given up
  Status on_want(Link& link, Log& log, wire::Want want, TimePoint now);
  // The log whose want it was; null: none.
  Log* on_stop(const Link& link, const wire::Stop& stop);
  // Whether less is needed of the log for it now: the peer had it another way.
  bool on_ack(SessionId session, const Log& log, std::uint64_t acked);
  void on_session_down(SessionId session);

  // --- from the store ---
  // Something of the log has changed: head, first, whole_from, backfill.
  void on_log(const Log& log);
  // Whether `token` was one of its questions.
  bool on_read(Token token, Result<ReadResult>& read, TimePoint now);
  bool on_time_found(Token token, const Result<std::uint64_t>& seq, TimePoint now);

  // Sends what there is room for.
  void pump(TimePoint now, Actions& out);
  // Tells the peer that more may be on its way, so that it does not ask another meanwhile: the
  // last UPTO again, of one log that `comes`.
  void reassure(Link& link, const std::function<bool(const Log&)>& comes, TimePoint now,
                Actions& out);
  // The same of logs that wait for their turn, here or, `waiting` (index), where they come from,
  // and of which the peer has heard nothing for two seconds.
  void tell_turns(Link& link, const std::vector<std::uint32_t>& waiting, TimePoint now,
                  Actions& out);
  void touch(SessionId session) { touched_.insert(session); }
  std::optional<TimePoint> wake_at() const;

  // --- what follows ---
  // What the peers' wants need of a log; of `standing` wants too, which run.
  void add_to(Need& need, const Log& log) const;
  // Where the peer of a session has begun with a log; 1: nobody knows.
  std::uint64_t began(SessionId session, const Log& log) const;
  // Whether the peer of a session is fed a log.
  bool feeds(SessionId session, const Log& log) const;
  // By log number, the lowest acknowledged position of all wants that run.
  std::map<std::uint32_t, std::uint64_t> pins() const;
  // Whether they have changed with what was sent.
  bool take_pins_moved() { return std::exchange(pins_moved_, false); }
  // The want met an event with another id than the peer's: two with one position.
  std::vector<std::pair<SessionId, std::uint32_t>> take_forks() {
    return std::exchange(forks_, {});
  }
  std::size_t wants(SessionId session) const;
  // Read for the peer and not sent yet.
  std::uint64_t read_bytes(SessionId session) const;
  void add_backlog(SessionId session, std::uint64_t (&backlog)[3]) const;
  void set_first_token(Token token) { next_token_ = token; }

 private:
  using Rank = std::tuple<int, std::uint64_t>;  // priority, turn
  struct Session {
    std::map<std::uint64_t, Served> wants;  // by number
    std::map<std::pair<std::uint32_t, wire::WantKind>, std::uint64_t> by_log;
    std::map<Rank, std::uint64_t> ready;
    std::size_t reads = 0;
    std::size_t filter_bytes = 0;  // of all wants
    std::uint64_t held = 0;        // bytes read and not sent
  };

  int rank(const Log& log, const Served& want) const;
  void make_ready(Session& session, Served& want);
  void unready(Session& session, Served& want);
  void erase(Session& session, std::uint64_t number);
  // To be called when a batch has come or gone.
  static void count(Session& session, Served& want);
  bool skip(Session& session, Served& want);
  bool may_read(const Session& session, int rank) const;
  static bool may_reassure(const Served& want);
  // Up to where the want can be served now; empty: not from where it stands.
  std::optional<std::uint64_t> limit(const Log& log, const Served& want) const;

  enum class Step { Sent, Asked, Idle, Over };
  bool pump(Link& link, Session& session, TimePoint now, Actions& out);
  Step serve(Link& link, Session& session, Served& want, TimePoint now, Actions& out);
  Step locate(const Log& log, Session& session, Served& want, Actions& out);
  Step at_limit(Link& link, const Log& log, Served& want, TimePoint now, Actions& out);
  void ask_read(const Log& log, Session& session, Served& want, std::uint64_t room, Actions& out);
  void send_events(Link& link, Served& want, TimePoint now, Actions& out);
  void send_part(Link& link, Served& want, TimePoint now, Actions& out);
  void told(Served& want, std::uint64_t upto, TimePoint now);
  void send_upto(Link& link, Served& want, TimePoint now, Actions& out);
  void send_gaps(Link& link, Served& want, std::uint64_t upto, TimePoint now, Actions& out);
  void take_read(Log& log, Served& want, ReadResult& read);

  Options options_;
  Logs& logs_;
  Links& links_;
  std::map<SessionId, Session> sessions_;
  std::map<std::uint32_t, std::set<std::pair<SessionId, std::uint64_t>>> by_log_;
  std::map<Token, std::pair<SessionId, std::uint64_t>> questions_;
  std::set<SessionId> touched_;
  std::map<std::pair<SessionId, std::uint64_t>, TimePoint> upto_due_;
  std::vector<std::pair<SessionId, std::uint32_t>> forks_;
  bool pins_moved_ = false;
  std::uint64_t turn_ = 0;
  Token next_token_ = 1;
};

}  // namespace marram::mesh
