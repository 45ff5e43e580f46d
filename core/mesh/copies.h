// The copies that this node makes of others' logs: whom it asks, what it takes.
//
// Of each log there is at most one main want, which stays and moves the copy's head; one
// backfill, which fills in below; one repair, which asks a neighbour that has more while
// the upstream says nothing.  What comes goes to the store in order; several writes may be
// on their way, and `taken` runs ahead of the copy's committed head.
//
//     main:   none --need, root, path--> asked --first answer--> fed --other path or filters-->
//     asked a gap:  told --a neighbour may have it--> main stops, repairs one after the other
//                  --all were asked--> main again --told again--> recorded
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/mesh/fetch.h"
#include "core/mesh/link.h"
#include "core/mesh/logs.h"
#include "core/mesh/map.h"
#include "core/mesh/sources.h"
#include "core/mesh/status.h"
#include "core/wire/link_codec.h"

namespace marram::mesh {

class Copies {
 public:
  struct Options {
    std::string node_id;
    Limits limits;
    Duration keep_upstream = std::chrono::seconds(1);
    Duration repair_after = std::chrono::milliseconds(500);
    Duration hold_away_max = std::chrono::hours(24 * 30);
    Duration release_after = std::chrono::seconds(30);  // what is kept and not wanted
    Duration lost_after = std::chrono::seconds(5);
    Duration stuck_max = std::chrono::hours(24);
    Duration retry = std::chrono::seconds(1);  // after a write that failed
  };
  // What Mesh shares among its parts; outlives the object.
  struct Tables {
    Logs& logs;
    Map& map;
    Sources& sources;
    Links& links;
  };
  Copies(Options options, Tables tables);

  // A log's record was loaded, or changed by the store.
  void on_record(Log& log);
  void on_trimmed(const Log& log);
  // Sees to it that what is needed is asked for, and nothing else.
  void plan(Log& log, Need need, Now now, Actions& out);
  // Since when every node that is known can be reached; empty: some cannot.
  void set_all_here(std::optional<TimePoint> since) { all_here_ = since; }
  // Logs for which plan() is to be called again.
  std::vector<std::uint32_t> take_dirty(TimePoint now);
  std::optional<TimePoint> wake_at() const;

  // --- frames; Errors: Protocol  the session is to be given up ---
  Status on_data(Link& link, wire::Data data, std::uint64_t bytes, Now now, Actions& out);
  Status on_upto(Link& link, const wire::Upto& upto, std::uint64_t bytes, Now now, Actions& out);
  Status on_gap(Link& link, const wire::LinkGap& gap, std::uint64_t bytes);
  Status on_part(Link& link, const wire::Part& part, std::uint64_t bytes, Now now, Actions& out);
  // The answerer ended a want.
  void on_stop(Link& link, const wire::Stop& stop, Now now);
  // A neighbour says what it has; kept in Log::have by the caller.
  void on_have(Log& log, const std::string& peer);
  // The peer of a session holds a stream for this node, or not any more.
  void on_stream_held(SessionId session, const std::string& stream, bool held);
  // `peer` holds for this node.
  void on_held(Log& log, const std::string& peer, std::uint64_t acked, TimePoint now);
  void on_session_down(SessionId session, const std::string& peer, Now now);
  // Whether `token` was one of its questions.
  bool on_time_found(Token token, const Result<std::uint64_t>& seq);
  // Whether `token` was one of its writes.
  bool on_written(Token token, const Result<std::uint32_t>& log, Now now, Actions& out);
  void forget(std::uint32_t index);

  // --- what follows ---
  // What ACK says of a log to a peer that holds it for this node; empty: nothing yet.
  std::optional<wire::AckEntry> ack(const Log& log, const std::string& holder);
  // Logs whose ACK has changed, and the peers to tell.
  struct AckTo {
    std::string peer;
    wire::AckEntry entry;
  };
  // Nothing goes into a session in which the peer has not said yet what it holds.
  std::vector<AckTo> take_acks(const std::set<SessionId>& heard);
  // What is waited for.
  void holes(std::vector<HoleStatus>& out) const;
  std::uint64_t duplicates() const { return duplicates_; }
  const std::map<std::string, std::uint64_t>& gaps() const { return gaps_; }
  // The peer that feeds a log; empty: nobody.
  std::string upstream_of(const Log& log) const;
  // When it said something of the log last; empty: nobody feeds it.
  std::optional<TimePoint> heard_of(const Log& log) const;
  // Logs (index) of which the upstream has said of late that more may come, or is in a large event.
  std::vector<std::uint32_t> take_waiting(TimePoint now);
  // Whether somebody has begun to hold it for this node.
  bool is_held(const Log& log) const;

 private:
  using Key = std::pair<SessionId, std::uint64_t>;
  struct Answer {
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
    std::unique_ptr<EventBatch> batch;
    std::uint64_t bytes = 0;
    std::vector<Gap> gaps = {};  // told before it
    bool large = false;          // came in parts
  };
  // The session that a write comes from, and what it takes of its window.
  struct From {
    SessionId session = 0;
    std::uint64_t bytes = 0;
    bool large = false;  // came in parts
  };
  struct Writing {
    std::uint32_t log = 0;  // index
    From from;
  };
  // For which reader the store looks for a time.
  struct Finding {
    std::uint32_t log = 0;  // index
    std::uint64_t interest = 0;
  };
  // Events that came in parts: how many are on their way to the disk, and what is kept of the
  // session's window meanwhile.
  struct Large {
    std::size_t writes = 0;
    std::uint64_t bytes = 0;
  };
  // What is not there: of the copy, or below it in what is filled in.
  struct Missing {
    bool below = false;
    std::uint64_t from = 0;
    std::optional<std::uint64_t> to = {};  // told as a gap up to there
    bool claims = false;                   // asks a holder for what was promised
    TimePoint at{};                        // when it is asked for
  };
  struct Passed {
    std::uint64_t upto = 0;
    Link* other = nullptr;  // to be asked for the gap
    bool waits = false;     // or it is waited for
    std::uint64_t gap_to = 0;
  };
  struct Found {
    Log* log = nullptr;
    Fetch* fetch = nullptr;
    Request* request = nullptr;
  };

  // copies.cc: whom to ask
  Fetch& fetch(const Log& log) { return fetches_[log.index]; }
  Link* upstream(Log& log, const Fetch& f, std::uint64_t position, std::uint64_t upto);
  // Whether the main want is for every event.
  static bool asks_all(const Log& log, const Fetch& f);
  void plan_main(Log& log, Fetch& f, Now now, Actions& out);
  void ask_main(Log& log, Fetch& f, Link& link, Now now, Actions& out);
  void plan_backfill(Log& log, Fetch& f, Now now, Actions& out);
  void end_backfill(Log& log, Fetch& f, Now now, Actions& out);
  std::optional<Lack> find_lack(const Log& log, const Fetch& f, TimePoint now) const;
  bool is_complete(const Log& log, const Fetch& f, TimePoint now) const;
  void add_reader_lack(std::optional<Lack>& lack, const Fetch& f, const ReaderNeed& reader,
                       bool complete) const;
  void ask(Log& log, Fetch& f, Request request, Link& link, Actions& out);
  void stop(Fetch& f, std::optional<Request>& request, Actions& out);
  void again(const Log& log, TimePoint at);

  // copies_holders.cc: who holds for this node
  void release_others(Log& log, Fetch& f, Now now, Actions& out);
  bool has_all(const Log& log, const Fetch& f) const;
  void release_all(Log& log, Fetch& f, Now now, Actions& out);

  // copies_readers.cc: what may be read
  bool more_to_come(const Log& log) const;
  bool waits_for_older(const Log& log, const ReaderNeed& reader, Now now);
  // The first position of that time, or behind the head; empty: not known yet.
  std::optional<std::uint64_t> find_start(const Log& log, Fetch& f, const ReaderNeed& reader,
                                          Now now, Actions& out);
  void tell_readers(Log& log, Fetch& f, Now now, Actions& out);

  // copies_take.cc: what comes
  Found find(const Link& link, std::uint64_t number);
  Status take(Link& link, Found found, Answer answer, Now now, Actions& out);
  Status check(Answer& answer, const Request& request) const;
  void write(Log& log, Fetch& f, CopyWrite write, From from, Actions& out);
  void give_back(const From& from);
  Passed pass_gaps(Found found, std::vector<Gap>& gaps, std::uint64_t upto, TimePoint now);
  void take_main(Link& link, Found found, Answer answer, TimePoint now, Actions& out);
  void take_below(Link& link, Found found, Answer answer, TimePoint now, Actions& out);
  bool locate_below(Link& link, Found found, const Answer& answer, Actions& out);
  // There was nothing to fill in up to there.
  void end_search(Log& log, Fetch& f, std::uint64_t to, From from, Actions& out);
  void finish_below(Fetch& f, CopyWrite& write, Actions& out);
  // What the copy becomes with the request's first answer.  False: it stays as it is.
  bool apply(Fetch& f, Request& request, CopyWrite& write);

  // copies_gap.cc: what does not come
  // A neighbour to ask before positions from..to are recorded as a gap that `told` told.
  Link* other_source(Log& log, const Fetch& f, const Request& told, const Gap& gap, bool owed);
  // Whether somebody has what was told as a gap: it was trimmed because custody was passed on.
  bool is_owed(const Fetch& f, const Request& told, const Gap& gap) const;
  // Whether that one has to be waited for still.
  bool must_wait(std::optional<Fetch::Waits>& waits, const Request& told, const Gap& gap,
                 TimePoint now);
  bool keeps_waiting(const Log& log, Fetch& f, const Missing& missing, const Link* link,
                     TimePoint now);
  void note_stuck(const Log& log, Fetch& f, bool below, TimePoint now);
  // A repair that has brought nothing in all that time.
  void end_silent_repair(Log& log, Fetch& f, TimePoint now, Actions& out);
  // The same of a backfill from a time on, which nobody can place.
  void end_silent_search(Log& log, Fetch& f, TimePoint now, Actions& out);
  // From then on nobody is waited for any more, as far as is known.
  std::optional<TimePoint> stuck_until(const Fetch& f, bool below) const;
  bool is_dead_end(const Fetch& f, bool below, const Gap& gap, TimePoint now) const;
  void ask_repair(Log& log, Fetch& f, Link& link, const Missing& missing, Actions& out);
  void ask_who_has(Log& log, Fetch& f, TimePoint now, Actions& out);
  Link* who_has(const Log& log, const Fetch& f, const Request& asked, std::uint64_t position);
  Link* source_below(Log& log, const Fetch& f, std::uint64_t position, TimePoint now);
  void check_repair(Log& log, Fetch& f, Now now, Actions& out);
  void claim_next(Log& log, Fetch& f, TimePoint now, Actions& out);
  void check_waits(Log& log, Fetch& f, TimePoint now, Actions& out);
  void check_backfill(Log& log, Fetch& f, Now now, Actions& out);
  void wait_in_hole(Log& log, Fetch& f, const Missing& missing, Now now, Actions& out);
  void record_lost(Log& log, Fetch& f, const Missing& missing, Actions& out);

  Options options_;
  Tables tables_;
  wire::LinkDecoder decoder_;
  std::map<std::uint32_t, Fetch> fetches_;
  std::map<Key, std::uint32_t> requests_;
  std::map<Token, Writing> writes_;
  std::map<Token, Finding> finds_;
  std::map<SessionId, Large> large_;
  std::map<SessionId, std::set<std::string>> held_;  // streams that the peer holds for this node
  std::map<std::uint32_t, TimePoint> again_;
  std::map<std::uint32_t, TimePoint> waiting_;  // when it was heard that more may come
  std::set<std::uint32_t> acks_;
  std::optional<TimePoint> all_here_;
  Token next_token_ = 1;
  std::uint64_t duplicates_ = 0;
  std::map<std::string, std::uint64_t> gaps_;
};

}  // namespace marram::mesh
