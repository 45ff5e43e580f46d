// What is asked of others of one log, and how far it has come; for core/mesh/copies*.cc.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/mesh/coverage.h"
#include "core/mesh/demand.h"

namespace marram::mesh {

inline bool says_it_has(const wire::HaveEntry& have, std::uint64_t seq) {
  return have.first <= seq && seq <= have.upto;
}

// A want of this node's, as long as it stands.
struct Request {
  std::uint64_t number = 0;
  std::string peer;
  SessionId session = 0;
  wire::WantKind kind = wire::WantKind::Main;
  bool all = true;
  std::vector<std::string> filters;
  bool standing = false;
  std::uint64_t owed = 0;       // from here on it was promised then
  std::uint64_t said_owed = 0;  // as WANT said
  std::uint64_t end = 0;        // where the log ended then; 0: that was not known
  wire::Begin from;
  std::uint64_t to = 0;  // of a backfill
  bool below = false;    // a repair that goes on with the backfill
  bool answered = false;
  bool applied = false;     // the copy's coverage is as asked here
  bool known = false;       // of a backfill: `taken` is known
  std::uint64_t taken = 0;  // of a backfill
  TimePoint heard{};
  std::vector<Gap> gaps;  // told, not passed yet
  // A reader that has begun with what there was is owed no more of that than when it asked.
  bool promised(const Gap& gap) const {
    const bool was_there = end == 0 || gap.to <= end;
    return !was_there || (owed != 0 && owed <= gap.to);
  }
  struct {
    std::string bytes;  // of a large event, so far
    std::uint64_t total = 0;
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
  } part;
};

struct PendingWrite {
  Token token = 0;
  bool backfill = false;   // into one, or its end
  bool begins = false;     // the first one into a backfill
  bool forgotten = false;  // the copy has been set back since
};

// How long a want may stand about which nothing is said, before others are asked.
constexpr Duration kStands = std::chrono::seconds(5);

// A stretch that a backfill is needed for.
struct Lack {
  wire::Begin from;
  std::uint64_t to = 0;
  bool all = false;
  std::vector<std::string> filters;
  std::uint64_t start = 0;        // where it began, once that is known
  std::optional<WallTime> since;  // it was asked from that time on
  bool stored = false;            // the store has a record of it, or will
};

struct Fetch {
  bool begun = false;       // there is a copy, or its first write is on the way
  bool held = false;        // a standing want was answered: it was held for this node since then
  bool anew = false;        // of an own log, of which the database had nothing: its disk went back
  std::uint64_t taken = 0;  // given to the store up to here
  Coverage cover;           // as it will be when all writes are done
  Need need;
  std::optional<Request> main;
  std::optional<Request> backfill;
  std::optional<Request> repair;
  bool gap_hold = false;  // main, or the backfill, waits for the repair
  // Told that the origin has trimmed what is owed here, by a node that cannot know who
  // still keeps it: waits for that one.
  struct Waits {
    std::uint64_t to = 0;
    TimePoint since{};
    SessionId told_by = 0;
    bool again = false;  // something has changed
    Duration pause{};    // then everybody is asked once more
    TimePoint retry{};
  };
  SessionId gap_told_by = 0;  // the gap for which others are asked
  // Where a gap ends that a backfill was told of last, of what was not promised.
  std::uint64_t low_gap_to = 0;
  // It may go on there: a gap may be told in parts.
  bool may_go_on(std::uint64_t seq) const { return low_gap_to != 0 && seq == low_gap_to + 1; }
  std::optional<Waits> waits;
  std::optional<Waits> low_waits;  // of the backfill
  // It does not get on: others are asked for what was told as a gap, or waited for.
  struct Stuck {
    std::uint64_t at = 0;
    std::uint64_t to = 0;
    TimePoint since{};
  };
  std::optional<Stuck> stuck;
  std::optional<Stuck> low_stuck;  // the backfill
  // Somebody else may have what is waited for.
  void hear_news() {
    if (waits) waits->again = true;
    if (low_waits) low_waits->again = true;
  }
  std::uint64_t once_acked = 0;  // as holders say, in an earlier life perhaps
  // Told as gone by somebody who was asked when nobody had been promised it: to readers who stand
  // within it since it is not owed either.
  struct Unpromised {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    // A gap may be told in parts; of two that do not meet the last counts.
    void add(const Gap& gap) {
      const bool meets = gap.from <= to + 1 && from <= gap.to + 1;
      from = meets ? std::min(from, gap.from) : gap.from;
      to = meets ? std::max(to, gap.to) : gap.to;
    }
    std::uint64_t passed(std::uint64_t next) const {
      return from <= next && next <= to ? to + 1 : next;
    }
  } unpromised;
  // From where on this node answers for the events; kNowhere: for none.
  std::uint64_t owed_from() const { return with_unread(need.owed_from()); }
  std::uint64_t owed_from_but_for(const std::string& peer) const {
    return with_unread(need.owed_from_but_for(peer));
  }
  std::uint64_t with_unread(std::optional<std::uint64_t> owed) const {
    const std::uint64_t from = owed.value_or(kNowhere);
    return need.unread_from ? std::min(from, unpromised.passed(*need.unread_from)) : from;
  }
  std::optional<Lack> lack;
  std::deque<PendingWrite> writes;
  TimePoint retry_at{};
  std::optional<TimePoint> unwanted;  // nobody wants more of it, since then
  std::optional<TimePoint> changed;   // another upstream would be better since then
  std::optional<TimePoint> hole;      // nobody has what is needed next, since then
  std::optional<TimePoint> low_hole;  // the same for the backfill
  std::optional<TimePoint> lacks;  // what is kept for peers is not here, nor asked for, since then
  std::optional<TimePoint> ahead;  // a neighbour has more, since then
  // There is no way to who has what is needed next but through who needs it.
  struct NoWay {
    TimePoint since{};
    Duration pause{};  // then everybody is asked once more
  };
  std::optional<NoWay> no_way;
  std::map<std::string, std::uint64_t>
      asked;  // peers asked for what was told as a gap, up to where
  // What ACK said to a peer.
  struct Said {
    std::uint64_t acked = 0;
    std::uint64_t stored = 0;
    bool operator==(const Said&) const = default;
  };
  std::map<std::string, Said> holders;  // peers that hold for this node
  TimePoint steady_since{};             // the upstream, and those that hold for this node
  struct Told {
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
    bool operator==(const Told&) const = default;
  };
  std::map<std::uint64_t, Told> told;  // by interest: what Readable said
  // Where in the copy a reader begins that has only a time.
  struct Find {
    TimePoint since{};
    bool asked = false;
    std::uint64_t head = 0;  // of the copy, then
    std::optional<std::uint64_t> seq;
  };
  std::map<std::uint64_t, Find> finds;  // by interest
  Said said;                            // last
};

}  // namespace marram::mesh
