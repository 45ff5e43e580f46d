// What this node keeps for its peers until they have it.
//
// A hold is (peer, stream) with an acknowledged position for each log.  It begins with a
// standing want, or before there is any log, where the peer has said that it expects such; it
// outlives absence and restarts, and covers logs first heard of while the peer is away, from 1.
// What a peer expects is kept while this node runs: of a stream that is new here after a restart
// nothing is held for who has not been here since.  A new log is held for a peer that is here too,
// until it has surely heard of it: it may be gone without a word.  A hold ends when the peer
// releases it, or is gone for `away_max`. That is measured by the steady clock: the wall clock,
// which may be wrong and jump, only says how long a peer had been away when this node was started.
// While the peer is away, or says nothing, the hold asks for the stream by itself; while it is here
// it holds history, and keeps copies whole, and asks for a while for what the peer claims.  In its
// first moments here, before it has said what it needs, for as long after it has asked for a log no
// more, or after there was nobody to be asked for it, and while it says nothing, no gap is passed
// on that it is owed.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/mesh/demand.h"
#include "core/mesh/logs.h"
#include "core/mesh/status.h"

namespace marram::mesh {

class Custody {
 public:
  struct Options {
    Duration away_max = std::chrono::hours(24 * 30);
    // A peer from which something came so long after a log was new has heard of the log.
    Duration unheard = std::chrono::seconds(10);
    // One from which nothing has come so long after that, or after its session came up, may be
    // gone: what is held for it is asked for.
    Duration silent = std::chrono::seconds(6);
    Duration claimed = std::chrono::seconds(10);  // what a peer claims is asked for so long
    std::size_t holds_max = 65'536;
    std::size_t holds_per_peer_max = 4096;
    bool clock_suspect = false;  // when this node was started
  };
  // `logs` outlives the object.
  Custody(Options options, Logs& logs) : options_(options), logs_(logs) {}

  // What was stored.
  void load(const std::vector<HoldRecord>& holds, Now now);

  // The peer wants a log from `needed` on, for durable readers.
  // Errors: TooLarge  too many holds; nothing is held
  Status on_standing_want(const std::string& peer, const Log& log, std::uint64_t needed);
  // What the peer says that it will want of logs that there are not yet.  `own`: the streams that
  // this node writes, of which the first log may come at any time.
  void on_expect(const std::string& peer, wire::Expect what, const StreamTable& own, TimePoint now);
  // The peer asks for what was promised to it with the stream: it is held until the peer releases
  // it, and for a while it is asked for.  False: nothing of it is held for the peer.
  bool on_claim(const std::string& peer, const Log& log, std::uint64_t seq, TimePoint now);
  // The peer asks for it here no more: it may be on its way to ask another, or to come back.
  void on_stop(const std::string& peer, const Log& log, TimePoint now);
  // Whether it needs less now.
  bool on_ack(const std::string& peer, const Log& log, std::uint64_t acked);
  void on_release(const std::string& peer, const wire::Release& release);
  // What is held for it; the frames for the start of a session.
  std::vector<wire::Held> on_peer_up(const std::string& peer, TimePoint now);
  void on_peer_down(const std::string& peer, Now now);
  // Nothing is held for it any more.
  void forget_peer(const std::string& peer);
  // Heard of for the first time, its topics known where they can be.
  void on_new_log(const Log& log, TimePoint now);
  // What flush() asked for did not come to the disk: it is asked for again in a while.
  void on_not_saved(const std::string& peer, const std::string& stream, TimePoint now);
  // It has a number now: entries can be stored.
  void on_record(const Log& log);
  void on_forgotten(const Log& log);

  void add_to(Need& need, const Log& log) const;
  // Peers that are away and have not had all of what is held for them; `end`: how far a log goes,
  // as far as this node knows.
  std::set<std::string> owed(const std::function<std::uint64_t(const Log&)>& end) const;
  // Whether each peer for which something is held is so.
  bool all_of_peers(const std::function<bool(const std::string& peer)>& is_so) const;
  bool away(const std::string& peer) const { return !here_.contains(peer); }

  // What it asks of the others.
  struct Sight {
    std::function<TimePoint(const std::string& peer)> heard;  // from a peer that is here
    std::function<bool(const Log&)> can_be_asked_for;         // somebody who has it can be reached
  };
  // Saves what has changed, ends what is too old.  The logs whose need changes with that.
  std::set<std::uint32_t> flush(Now now, const Sight& sight, Actions& out);
  std::optional<TimePoint> wake_at() const;
  void add_status(std::vector<HoldStatus>& out) const;

 private:
  static constexpr Duration kLookAgain = std::chrono::seconds(1);
  struct Unasked {
    TimePoint since{};
    bool silent = false;  // the peer has said nothing for long
  };
  struct Hold {
    WallTime contact{};              // as stored
    std::optional<TimePoint> saved;  // when it was given to the store
    bool loaded = false;             // the peer has not been here in this run
    TimePoint away{};                // not here since then; before that, when loaded, for
    Duration before{};
    std::map<std::uint32_t, std::uint64_t> acked;  // by log index
    bool changed = false;                          // more than moves
    std::set<std::uint32_t> moved;
    std::map<std::uint32_t, Unasked> unasked;    // new logs, held though nobody asked
    std::map<std::uint32_t, TimePoint> claimed;  // asked for until then
    std::map<std::uint32_t, TimePoint> stopped;  // owed until then, though it is not asked for
    std::set<std::uint32_t> asked;               // it asks this node for it, since it came
  };
  using Key = std::pair<std::string, std::string>;  // peer, stream
  using Holds = std::map<Key, Hold>;
  struct Expected {
    wire::Expect what;
    TimePoint away{};  // not here since then
  };

  // How long the peer of a hold has been away by `now`, as far as stored times are to be believed.
  Duration stored_age(const Hold& hold, Now now) const;
  void follow_clock(Now now);
  std::size_t streams_held(const std::string& peer) const;
  bool is_full(const std::string& peer) const;  // another stream is too many
  void begin(const std::string& peer, const std::string& stream, TimePoint now);
  // Its peer needs nothing of it.
  static bool is_released(const Hold& hold);
  // Ends it with the next flush().  The hold behind it.
  Holds::iterator let_go(Holds::iterator hold);
  void end_unexpected(const std::string& peer, const std::string& stream);
  void hold_expected(const Log& log, TimePoint now);
  void save_again(TimePoint now);
  void let_others_go(const std::string& stream, Hold& hold);
  void end_old(TimePoint now, std::set<std::uint32_t>& dirty, Actions& out);
  void save(const Key& key, Hold& hold, Now now, Actions& out);
  void end_unasked(TimePoint now, const Sight& sight);
  std::optional<TimePoint> end_arrivals(TimePoint now, const Sight& sight);  // when to look again
  void owe_unreachable(const std::string& peer, TimePoint now, const Sight& sight);
  void note_quiet(TimePoint now, const Sight& sight);
  // The needs of its logs may have changed.
  void mark(const Hold& hold);
  void mark_held(const std::string& peer);
  void look_unasked_at(TimePoint at) { unasked_at_ = std::min(unasked_at_.value_or(at), at); }
  void end_claimed(TimePoint now, const Sight& sight);
  // When to look at it again; empty: its peer has heard of the log.
  std::optional<TimePoint> look_at(Unasked& unasked, TimePoint heard, TimePoint now,
                                   std::uint32_t index);
  void end(const Key& key, std::set<std::uint32_t>& dirty, Actions& out);

  Options options_;
  Logs& logs_;
  Holds holds_;
  std::map<std::string, Expected> expected_;
  std::set<std::string> here_;
  std::map<std::string, Unasked> arrivals_;  // here, and may not have said yet what it needs
  std::set<std::string> quiet_;              // here, and have said nothing for long
  TimePoint quiet_at_{};                     // to be looked at again
  std::set<Key> ended_;
  std::map<Key, TimePoint> again_;  // to be saved, or removed, again
  std::set<std::uint32_t> dirty_;
  TimePoint expire_at_{};
  Duration clock_{};                     // the wall clock's distance from the steady one
  std::optional<TimePoint> unasked_at_;  // when to look at them; no later than what is due first
  std::optional<TimePoint> claimed_at_;  // the same of what is claimed or stopped
};

}  // namespace marram::mesh
