// What this node needs of a log: for its own readers, for streams that it carries, for
// peers that ask.
//
// Threads: the owner's only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/mesh/logs.h"

namespace marram::mesh {

// Behind every position.
constexpr std::uint64_t kNowhere = wire::kSeqMax + 1;

// One reader's part in a log.
struct ReaderNeed {
  std::uint64_t interest = 0;
  std::vector<FilterStart> filters;     // those that the log's topics can match
  std::optional<std::uint64_t> cursor;  // it needs nothing up to here

  // A cursor at the log's beginning says only that there is a copy.
  bool has_read() const { return cursor.value_or(0) > 0; }
};

struct Need {
  bool wanted = false;    // by somebody, from now on
  bool whole = false;     // every event
  bool keep = false;      // what is whole stays whole, though nobody asks at the moment
  bool standing = false;  // by somebody durable
  // Everything from here on, for peers and for what is carried.
  std::optional<std::uint64_t> all_from;
  std::optional<WallTime> all_since;
  bool all_from_head = false;
  // From here on its durable readers need it, who have begun.
  std::optional<std::uint64_t> unread_from;
  // From here on all of it is held for peers that are here, though they ask nothing of it.
  std::optional<std::uint64_t> kept_from;
  std::vector<std::string> filters;  // of the readers, none of them covered by another
  std::vector<ReaderNeed> readers;
  std::vector<std::string> askers;  // two stand for many
  bool for_itself = false;          // not only for peers that ask
  // From where on it is needed, and by whom (empty: for itself); the two lowest stand for all.
  struct Low {
    std::uint64_t from = 0;
    std::string peer;
  };
  std::vector<Low> lows;
  std::vector<Low> kept;  // the same of what is held for peers that are here
  std::vector<Low> owed;  // and of what was promised

  // Somebody other than `peer` wants it, or it is held for somebody other.
  bool wanted_but_for(const std::string& peer) const;
  bool kept_but_for(const std::string& peer) const;
  // From where on it holds something for peers that are here, other than `peer`.
  std::optional<std::uint64_t> kept_from_but_for(const std::string& peer) const;
  // Somebody other than `peer` needs something up to that position.
  bool needs_but_for(const std::string& peer, std::uint64_t upto) const;

  void add_asker(const std::string& peer) {
    const bool known = std::find(askers.begin(), askers.end(), peer) != askers.end();
    if (!known && askers.size() < 2) askers.push_back(peer);
  }
  void keep_for(const std::string& peer, std::uint64_t from);
  void owe_from(std::uint64_t seq, const std::string& peer = {});
  // From where on this node answers for it: to peers who are away, and to itself.
  std::optional<std::uint64_t> owed_from() const;
  // To others than `peer`, who need not wait for what they are owed themselves.
  std::optional<std::uint64_t> owed_from_but_for(const std::string& peer) const;
  void ask_from(const wire::Begin& begin, const std::string& peer = {});
  void add_low(const wire::Begin& begin, const std::string& peer);
  // Where a copy begins that serves all of this.
  wire::Begin lowest() const;
};

// The smallest set of filters that matches the same.
std::vector<std::string> without_covered(std::vector<std::string> filters);
// Some filter can match some topic of the stream.
bool concerns(std::string_view filter, const std::vector<std::string>& topics);

// The filter matches every topic of the stream.
bool takes_all(std::string_view filter, const std::vector<std::string>& topics);

class Readers {
 public:
  void put(Interest interest);
  void move(std::uint64_t id, std::uint32_t log, std::uint64_t upto);
  void drop(std::uint64_t id);
  const Interest* find(std::uint64_t id) const;
  // Adds what the readers need of the log.
  void add_to(Need& need, const Log& log) const;
  // Whether some durable reader may want something of a stream with these topics.
  bool any_durable(const std::vector<std::string>& topics) const;
  // What durable readers ask for, none of it covered by another filter; "#" where it is too much
  // for a frame.
  std::vector<std::string> durable_filters() const;
  const std::map<std::uint64_t, Interest>& all() const { return interests_; }

 private:
  std::map<std::uint64_t, Interest> interests_;
};

}  // namespace marram::mesh
