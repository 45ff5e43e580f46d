// The logs of a client's node, under numbers that its user can keep.
//
// A node numbers logs in its database.  Another database, an older copy of it or a
// new one, gives the same numbers to other logs; and a client's user holds
// positions for longer than a session: of events that it has not settled, of what
// it has published, of what it has seen.  So a log has one number here for as long
// as the client lives, and never that of another log: the node's, where nobody has
// it, else one of those that a node gives last.
//
// Of a log that the node has not named nobody can tell whether it was here before:
// in every session it is another one.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "core/event/event.h"

namespace marram::client {

class LogNumbers {
 public:
  // A session has begun: what the numbers of its node mean is to be learnt.
  void start();
  // Of a number that has come in this session already the name is passed over.
  void name(std::uint32_t there, LogId id);

  // The number here of what the node calls `there`.
  std::uint32_t here(std::uint32_t there);
  Position here(Position there) { return {here(there.log()), there.seq()}; }
  void bring_here(EventBatch& batch);  // the positions of its events

  // The number there; empty: no log that this session has spoken of.
  std::optional<std::uint32_t> there(std::uint32_t here) const;
  // What to ask a node for: the number that the log had last; of one that was never here the
  // same; 0: nobody knows which log it was.
  std::uint32_t last_there(std::uint32_t here) const;
  // Null: it has no name, or was never here.  Lasts as long as this.
  const LogId* id(std::uint32_t here) const;

 private:
  struct Less {
    bool operator()(const LogId& a, const LogId& b) const;
  };
  struct Known {
    std::uint32_t there = 0;
    std::uint64_t session = 0;  // the last that spoke of it
    const LogId* id = nullptr;
  };
  std::uint32_t free_number(std::uint32_t wanted);
  void bind(std::uint32_t here, std::uint32_t there);

  std::uint64_t session_ = 0;
  std::uint32_t next_ = Position::kLogMax;  // to be given out, downwards
  std::map<LogId, std::uint32_t, Less> by_id_;
  std::unordered_map<std::uint32_t, Known> known_;         // by the number here
  std::unordered_map<std::uint32_t, std::uint32_t> here_;  // of this session
};

}  // namespace marram::client
