// One reader: what it has been handed, what it has settled, what comes next.
//
// A Consumer decides; it never acts.  It is told what happened and answers with
// actions for its owner to carry out, in order.  In each log it is either live (at
// the head: events come from the batch just committed, on_batch()) or behind (it
// asks for the next stretch with ReadLog, and becomes live when it has seen the
// head).  Both hand over to each other without gap or duplicate, because the owner
// tells every commit and every answer on one thread, and moves the heads in the
// LogTable before it does.
//
//     live --no room, batches lost, no member--> behind --reached the head--> live
//
// The cursor of a log is the highest position below which everything is settled or
// does not match.  At most a window of events is handed out and unsettled.  A
// durable consumer's place in the window is free again when the cursor that covers
// it is on disk, an ephemeral one's at once.  An event that fails (nack, or
// ack_wait passed) is handed out again, and behind it all later ones of its
// ordering key; new ones of that key wait for it.
//
// Of a copy (KnownLog::copy) it reads only what on_readable() allows, and is live only
// where that is everything; the newer logs of its lane wait for that, but no longer than
// 30 s.  A log without a Track has been read to its head.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/delivery/filter_set.h"
#include "core/delivery/log_table.h"
#include "core/delivery/window.h"
#include "core/event/bus.h"
#include "core/event/event.h"

namespace marram {

struct Now {
  TimePoint steady;
  WallTime wall;
};

// --- actions ---
struct Deliver {
  EventBatchPtr batch;
  std::vector<std::uint32_t> indices;
  std::uint32_t attempt = 1;
};
struct SkipGap {
  Gap gap;
};
// Answered by on_stretch() or on_read_failed(), once each.
struct ReadLog {
  std::uint32_t log;
  std::uint64_t after;
  std::size_t events_max;
  std::size_t bytes_max;
};
// Answered by on_time_found().
struct FindTime {
  std::uint32_t log;
  WallTime time;
};
struct SaveCursor {
  std::uint32_t log;
  std::uint64_t upto;
};
using Action = std::variant<Deliver, SkipGap, ReadLog, FindTime, SaveCursor>;
using Actions = std::vector<Action>;

// A part of one log: everything in (after, upto] that matches is in `batch`, but
// for what the gaps cover.
struct Stretch {
  std::uint32_t log = 0;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
  EventBatchPtr batch;    // in order; may hold events of other logs too; null: none
  std::vector<Gap> gaps;  // in order
  bool filtered = false;  // `batch` has only what matches
  // Up to here nothing is to be had, whatever `batch` has: it went after that was read.
  std::uint64_t gone = 0;
};

class Consumer {
 public:
  struct Options {
    bool durable = false;
    Start start;
    std::vector<FilterRecord> filters;
  };
  // What its member asked for.
  struct Member {
    std::size_t in_flight_max = 1000;
    std::size_t in_flight_bytes_max = 8 << 20;
    Duration ack_wait{};  // 0: never hand out again by itself
  };
  using Cursors = std::map<std::uint32_t, std::uint64_t>;
  static constexpr std::uint64_t kNoLimit = UINT64_MAX;

  // A new consumer, which begins where `options.start` says.  `logs` outlives it.
  Consumer(Options options, const LogTable& logs);
  // One that was stored.
  Consumer(Options options, const LogTable& logs, const Cursors& stored);

  // --- what happened ---
  void attach(Member member);
  // What is unsettled will be handed out again to the next member.
  void detach();
  void set_filters(std::vector<FilterRecord> filters);
  void on_log_opened(const KnownLog& log);
  // Everything that matches is stored up to `upto`; kNoLimit: and in all that follows.
  // The first time it begins behind `after`, unless it has a cursor there.
  void on_readable(std::uint32_t log, std::uint64_t after, std::uint64_t upto);
  // A copy that did not grow before in this run grows from `from` on.
  void on_grows_again(const KnownLog& log, std::uint64_t from);
  // False: an answer about the log is on its way; to be said again later.
  bool on_log_forgotten(std::uint32_t log);
  // `indices` into `batch`, ascending, are the events that match; they are used up.
  void on_batch(const EventBatchPtr& batch, std::vector<std::uint32_t>& indices, const Now& now,
                Actions& out);
  // What was committed after `upto` has not been told by on_batch().
  void on_missed(std::uint32_t log, std::uint64_t upto);
  void on_stretch(const Stretch& stretch, const Now& now, Actions& out);
  void on_read_failed(std::uint32_t log, TimePoint retry_at);
  void on_time_found(std::uint32_t log, std::uint64_t seq);
  // Positions that were not handed out are ignored.
  void settle(std::span<const Position> positions, Settle how, Duration delay, TimePoint now);
  void on_saved(std::uint32_t log, std::uint64_t upto);

  // --- what follows ---
  // Hands out what may be, and asks for what is needed.  To be called after any of
  // the above, however many, and at wake_at().
  void on_tick(const Now& now, Actions& out);
  std::optional<TimePoint> wake_at() const { return wake_at_; }
  // Saves cursors that have passed events that do not match.
  void save_idle(Actions& out);
  // Without a member: looks for the next event that matches, unless it is known.
  void look_ahead(Actions& out);

  // --- how it stands ---
  bool attached() const { return member_.has_value(); }
  const FilterSet& filters() const { return filters_; }
  // Where a new consumer begins in every log; to be stored with it.
  const Cursors& begins() const { return begins_; }
  void forget_begins() { begins_ = {}; }
  // Everything up to here is settled or does not match; empty: not known yet.
  std::optional<std::uint64_t> cursor_of(std::uint32_t log);
  std::size_t in_flight() const { return out_; }
  std::uint64_t backlog() const;           // of what is stored; by positions where it is behind
  bool backlog_exact() const;              // all of these match
  std::optional<WallTime> oldest() const;  // empty: nothing, or not known
  bool live() const;                       // in some log
  std::uint64_t settled() const { return settled_; }
  std::uint64_t redelivered() const { return redelivered_; }
  std::uint64_t expired() const { return expired_; }

 private:
  using Entry = Window::Entry;
  struct Next {
    std::uint64_t seq = 0;
    WallTime recorded{};
  };
  // One log with something left to do.
  struct Track {
    std::uint32_t log = 0;
    std::uint64_t order = 0;
    bool live = false;
    bool finding = false;            // waits for on_time_found()
    bool asked = false;              // with FindTime
    bool touched = false;            // its cursor may have moved since the last save
    std::uint64_t position = 0;      // behind: looked at up to here; live: nothing before counts
    std::uint64_t limit = kNoLimit;  // may be read up to here
    bool begun = true;               // false: where it begins is not known yet
    std::uint64_t handed = 0;        // up to here an earlier member may have had events
    std::uint64_t saved = 0;         // the last cursor given to SaveCursor
    Next next;                       // what follows `position`, as far as it is known
    TimePoint retry_at{};
    Window window;
  };
  enum class Reading { No, Next, Again };
  struct Hold {
    std::uint32_t count = 0;
    TimePoint until{};
  };
  struct Lane {
    std::uint32_t no = 0;
    Reading reading = Reading::No;
    bool stale = false;                               // the answer to come is not wanted any more
    TimePoint asked_at{};                             // Again: for what was due then
    bool failed = false;                              // some entry is marked
    std::optional<TimePoint> wait_until;              // for an older log that is not whole yet
    bool gave_up = false;                             // that was too long
    std::vector<std::unique_ptr<Track>> tracks;       // oldest epoch first
    std::unordered_map<std::uint64_t, Hold> waiting;  // keys with Waiting entries
  };
  // Says where to look when `at` has come.
  struct HandOut {
    TimePoint at;
    std::uint32_t log;
    std::uint64_t first;
    std::uint64_t last;
  };
  struct Found {
    Lane* lane = nullptr;
    Track* track = nullptr;
  };
  class Writer;  // gathers Deliver actions

  Track& add_track(const KnownLog& log, std::uint64_t position);
  Found find(std::uint32_t log);
  std::uint64_t begin_of(const KnownLog& log) const;
  std::uint64_t head(const Track& track) const;
  bool grows(const Track& track) const;
  bool seen_all(const Track& track) const;
  bool knows_next(const Track& track) const;
  bool is_owed(const Track& track, const Entry& entry) const;
  std::uint64_t cursor(Track& track) const;
  bool put_back(Lane& lane, Track& track, bool keep);

  bool room_for(std::size_t bytes) const;
  bool room_again_for(std::size_t bytes) const;
  bool worth_asking() const;
  enum class Taken { Out, Held, Expired, NoRoom };
  Taken take(Lane& lane, Track& track, const EventView& event, const Now& now);
  void note_hand_out(std::uint32_t log, std::uint64_t seq, TimePoint now);

  void take_next(Lane& lane, Track& track, const Stretch& stretch, const Now& now, Actions& out);
  void take_again(Lane& lane, Track& track, const Stretch& stretch, const Now& now, Actions& out);

  void make_out(Entry& entry, TimePoint now);
  void make_waiting(Lane& lane, Entry& entry, TimePoint until);
  void make_settled(Lane& lane, Track& track, Entry& entry);
  void leave(Lane& lane, Entry& entry);
  void forget(const Entry& entry);
  void trim(Track& track);

  void expire(TimePoint now);
  void go_back();
  void go_back(Lane& lane);
  void update_live(Lane& lane);
  bool holds_newer(const Lane& lane, const Track& track) const;
  void wait_for_older(Lane& lane, TimePoint now);
  void advance(Lane& lane, TimePoint now, Actions& out);
  bool ask_again(Lane& lane, TimePoint now, Actions& out);
  void ask_next(Lane& lane, Track& track, TimePoint now, Actions& out);
  void ask_times(Actions& out);
  void drop_finished(Lane& lane, Actions& out);
  void save(Track& track, Actions& out);
  void prune_hand_outs();
  void plan(TimePoint now);

  const LogTable& logs_;
  bool durable_;
  Start start_;
  FilterSet filters_;
  std::optional<Member> member_;
  Cursors begins_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Fifo<HandOut> hand_outs_;
  std::optional<TimePoint> wake_at_;
  bool full_ = false;       // the next event found no room
  std::size_t places_ = 0;  // of the window, taken
  std::size_t places_bytes_ = 0;
  std::size_t out_ = 0;  // with the member, unsettled
  std::size_t out_bytes_ = 0;
  std::uint64_t settled_ = 0;
  std::uint64_t redelivered_ = 0;
  std::uint64_t expired_ = 0;
};

}  // namespace marram
