// Who is heard on the LAN, whom of them to dial, and when to be heard oneself.
//
// A beacon is a hint that anybody can give: it makes a node dial, with the key that must
// answer there, and is told to nobody.  Dialled is who is heard and not reached, neither by a link
// nor by a path of the map, however many links there are: two halves of a LAN become one mesh.
// Nodes that start together do not all dial all: each waits a random moment, takes a random one
// of those it does not reach, and looks again when the map has had time to tell of a new link.
//
//     heard --not reached--> Found --a moment--> Dialling --a link--> reached
//                              ^---a pause, 1 s to 30 s---'
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/mesh/status.h"
#include "core/mesh/values.h"

namespace marram::mesh {

class Beacons {
 public:
  struct Options {
    bool on = false;
    std::string node_id;
    Duration every = std::chrono::seconds(5);  // a beacon, less up to a quarter
    Duration heard_for = std::chrono::seconds(30);
    std::size_t nodes_max = 1024;
    std::size_t dials_max = 2;                     // at a time
    Duration dial_max = std::chrono::seconds(20);  // without an answer
    Duration redial_min = std::chrono::seconds(1);
    Duration redial_max = std::chrono::seconds(30);
    std::uint64_t random_seed = 0;
  };
  explicit Beacons(Options options) : options_(std::move(options)), random_(options_.random_seed) {}

  // `peer` has the key, and the address that its beacon came from.  `asks`: it wants to hear
  // where this node is.  Over the limit the one that was heard the longest time ago is let go.
  void on_heard(const wire::PeerRecord& peer, bool asks, TimePoint now);
  // A link with it is live, or over; `refused`: one side would not have the other any longer, so
  // that the pauses go on growing where they were, unless the link had lasted.
  void on_up(const std::string& node_id, TimePoint now);
  void on_down(const std::string& node_id, bool refused, TimePoint now);
  // A dial, of this or of another part, came to nothing.
  void on_failed(const std::string& address, TimePoint now);
  // Whether it is being dialled because of a beacon.
  bool dials(const std::string& address) const;
  void forget(const std::string& node_id) { nodes_.erase(node_id); }

  // What the other parts know.
  struct Others {
    std::function<bool(const std::string& node_id)> reached;
    std::function<bool(const std::string& address)> dialled;  // being dialled already
    bool linked = false;                                      // with anybody
  };
  void on_tick(TimePoint now, const Others& others, Actions& out);
  std::optional<TimePoint> wake_at() const;

  void add_status(std::vector<HeardStatus>& out) const;

 private:
  struct Address {
    std::string text;
    TimePoint heard{};
  };
  struct Node {
    std::string key;
    std::vector<Address> addresses;  // heard of last first, one of each host
    bool found = false;              // and not reached when that was looked at
    std::optional<TimePoint> until;  // it is being dialled
    std::string dialled;             // there
    TimePoint next{};                // not before
    TimePoint up_at{};
    Duration pause{};
  };
  using Nodes = std::map<std::string, Node>;

  Duration random(Duration most);
  void send(TimePoint now, bool asks, Actions& out);
  void expire(TimePoint now);
  void hurry(TimePoint now);
  void look(TimePoint now, const Others& others, Actions& out);
  void dial(TimePoint now, const Others& others, Actions& out);
  void back_off(Node& node, TimePoint now);
  void give_up(TimePoint now);
  void schedule(TimePoint now);
  std::size_t dialling() const;

  Options options_;
  std::mt19937_64 random_;
  Nodes nodes_;
  std::set<std::string> news_;  // nodes that are to be looked at
  TimePoint send_at_{};
  std::optional<TimePoint> sent_at_;
  int sent_ = 0;  // of the first ones
  TimePoint hold_until_{};
  std::optional<TimePoint> dial_at_;
  std::optional<TimePoint> until_;  // no dial is given up before
  TimePoint expire_at_{};
};

}  // namespace marram::mesh
