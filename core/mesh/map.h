// What every node says of itself, and what follows from it: who can be reached, over
// whom, and who has what.
//
// One record a node, the newer number wins.  An adjacency counts when both ends list it,
// but for this node's own: those are its live links.  A record stays when its node cannot be
// reached any more (its logs have not gone), until it has been so for `expire`.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/mesh/values.h"

namespace marram::mesh {

// About what it takes in a frame.
std::size_t bytes_of(const wire::Neighbour& neighbour);
std::size_t bytes_of(const wire::OpenLog& open);
std::size_t bytes_of(const wire::CopyNote& copy);
std::size_t bytes_of(const wire::MapRecord& record);

// They lead to the same neighbours at the same cost; name the same logs.
bool same_links(const wire::MapRecord& a, const wire::MapRecord& b);
bool same_logs(const wire::MapRecord& a, const wire::MapRecord& b);

class Map {
 public:
  struct Options {
    std::string node_id;
    std::size_t nodes_max = 16'384;
    std::size_t bytes_max = 64 << 20;        // of all records, as bytes_of() counts
    std::size_t record_bytes_max = 1 << 20;  // of one
    Duration expire = std::chrono::hours(24 * 30);
  };
  // `number`: of the last own record that may have been flooded.
  Map(Options options, std::uint64_t number);

  // A record whose number is more above the last one is nobody's: at one a second that takes 136
  // years.
  static constexpr std::uint64_t kNumberStep = std::uint64_t{1} << 32;

  // --- records ---
  enum class Taken {
    New,    // is newer than what was known: to be passed on
    Known,  // is known, or over a limit
    Old,    // something newer is known: the sender is to be told
    Own,    // this node's own, from before or from another node of its name: publish again
  };
  Taken take(wire::MapRecord record, TimePoint now);
  // Replaces this node's own; the answer has the number that it got.
  const wire::MapRecord& publish(wire::MapRecord own);
  std::uint64_t number() const { return number_; }
  const wire::MapRecord* find(const std::string& node_id) const;
  std::vector<wire::KnownRecord> known() const;
  // What is newer here than in `known`, or not there.
  std::vector<const wire::MapRecord*> newer(const std::vector<wire::KnownRecord>& known) const;
  std::vector<wire::MapRecord> records() const;
  std::size_t size() const { return records_.size(); }

  // --- paths ---
  // This node's live links and what they cost.
  void set_links(std::map<std::string, std::uint32_t> links);
  std::uint32_t link_cost(const std::string& peer) const {
    const auto found = links_.find(peer);
    return found == links_.end() ? 1 : found->second;
  }
  struct Route {
    std::string next;  // the neighbour
    std::uint64_t cost = 0;
  };
  // Null: cannot be reached.
  const Route* route(const std::string& node_id);
  bool reachable(const std::string& node_id) {
    return node_id == options_.node_id || route(node_id) != nullptr;
  }

  // Whether `log` is written by its origin now, as far as is known; empty: the origin has no
  // record.
  std::optional<bool> is_open(const LogId& log) const;
  struct Held {
    wire::MapRecord record;
    TimePoint reached{};
    std::size_t bytes = 0;
    std::vector<std::uint32_t> open;  // the places of its open logs, by epoch and stream
  };
  const std::map<std::string, Held>& all() const { return records_; }

  // Counts up with every change that can change a route or a root.
  // A newer record that says the same is none.
  std::uint64_t version() const { return version_; }

  // Forgets records that have been out of reach for long.
  void on_tick(TimePoint now);

 private:
  void compute();

  Options options_;
  std::uint64_t number_;
  std::map<std::string, Held> records_;
  std::map<std::string, std::uint32_t> links_;
  std::size_t bytes_ = 0;
  std::uint64_t version_ = 1;
  bool computed_ = false;  // routes_ are those of the links as they are
  std::map<std::string, Route> routes_;
  TimePoint expire_at_{};
};

}  // namespace marram::mesh
