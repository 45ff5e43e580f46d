// Whom to dial.
//
// Seeds are dialled for ever.  Their turn comes first when the last link is lost.  Peers that
// others tell of are dialled when this node has no link left, one after another in any order, until
// it has `links_lonely` links, or one with a seed: when a hub is gone its leaves become one mesh,
// and where there are many not a link from each to each.  They are forgotten when nobody has had a
// link with them for `expire`.  An address whose node has a link already is left alone, unless that
// link is stuck.  An address that its node no longer names is forgotten, at once where the node
// itself says so, else when nobody answers there (not where somebody did within `expire`); it is
// another node's when that one answers there.  Redial backs off with jitter, to half a second where
// there was a link of late, so that it is back with the path.  Who was only heard on the LAN is not
// here: see beacons.h.
//
// Threads: the owner's only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/mesh/values.h"

namespace marram::mesh {

class Membership {
 public:
  struct Options {
    std::string node_id;
    std::vector<std::string> seeds;
    Duration redial_min = std::chrono::milliseconds(200);
    Duration redial_max = std::chrono::seconds(30);
    Duration redial_late = std::chrono::milliseconds(500);  // at most, `late_for` after a link
    Duration late_for = std::chrono::minutes(10);
    Duration dial_max = std::chrono::seconds(20);  // without an answer
    Duration expire = std::chrono::hours(1);
    std::size_t links_lonely = 8;
    Duration lonely_pause = std::chrono::milliseconds(20);  // between two of them
    std::size_t peers_max = 4096;
    std::ptrdiff_t lost_dials_max = 16;  // at a time
    std::uint64_t random_seed = 0;
  };
  explicit Membership(Options options);

  void add_seed(const std::string& address);
  // What a peer says.  Too many, and records of this node, are passed over.
  void learn(const wire::PeerRecord& peer, TimePoint now);

  // Whether it is being dialled.
  bool dials(const std::string& address) const {
    const auto found = addresses_.find(address);
    return found != addresses_.end() && found->second.dialling;
  }
  // A session that this node dialled is there, not greeted yet.
  void on_connected(const std::string& address);
  // A link is live; `address` is empty where the peer dialled.
  void on_up(const std::string& node_id, const std::string& address, const wire::PeerRecord& peer,
             TimePoint now);
  // A live link is over; `refused`: one side would not have the other any longer, so that the
  // pauses go on growing where they were, unless the link had lasted.
  void on_down(const std::string& node_id, bool refused, TimePoint now);
  // The dial came to nothing: no connection, no greeting, or, `refused`, nothing to hope for soon.
  void on_failed(const std::string& address, bool refused, TimePoint now);
  // The link that was dialled there says nothing any more, or does so again.
  void set_stuck(const std::string& address, bool stuck, TimePoint now);
  // This node itself is there.
  void on_self(const std::string& address);
  // The node there has a link that it dialled itself.
  void on_double(const std::string& address, const std::string& node_id);
  // The map knows that it lives.
  void on_alive(const std::string& node_id, TimePoint now);
  // Nobody of that name is dialled any more, unless as a seed.
  void forget(const std::string& node_id);

  // Peers for which something is held here, and that are known to live: dialled too, where they
  // have told of an address.  `lost`: nothing is known of them; dialled seldom.
  void set_owed(std::set<std::string> owed, std::set<std::string> lost);

  // Of them, those of which no address is known, as far as it is time to ask others about them.
  std::vector<wire::PeerRecord> take_asks(TimePoint now);
  // What is known of one; empty: no address.
  std::optional<wire::PeerRecord> record(const std::string& node_id, TimePoint now) const;

  void on_tick(TimePoint now, Actions& out);
  std::optional<TimePoint> wake_at() const;

  // For PEERS: whom this node has heard of since, or where else they can be dialled.
  bool has_news() const { return !news_.empty(); }
  std::vector<wire::PeerRecord> take_news(TimePoint now);
  // For PEERS: those with an address, heard of last first.
  std::vector<wire::PeerRecord> records(TimePoint now, std::size_t most) const;

 private:
  struct Peer {
    wire::PeerRecord record;
    std::size_t named =
        0;             // of the record's addresses those that the newest word named; then others
    TimePoint seen{};  // when somebody had a link with it
    TimePoint up_at{};
    bool linked = false;
  };
  struct Address {
    bool seed = false;
    std::string node_id;  // who was there last; empty: not known
    bool dialling = false;
    bool stuck = false;
    bool refused = false;               // the last link there ended so
    bool keyless = false;               // with its key it came to nothing: tried without, once
    TimePoint next{};                   // not before; while dialling: given up then
    std::optional<TimePoint> late;      // when there was a link last
    std::optional<TimePoint> answered;  // when one was made there
    Duration pause{};
  };

  bool is_linked(const std::string& node_id) const;
  void claim(const std::string& address, const std::string& node_id);
  // Seeds, where somebody answered of late, what its node still names.
  bool keeps(const std::string& text, const Address& address, TimePoint now) const;
  void drop(const std::string& node_id);
  void adopt();
  void make_room();
  bool wanted(const Address& address) const;
  bool is_any(const Address& address) const;
  static void note_answered(Address& place, const std::string& node_id, TimePoint now);
  void dial(const std::string& text, Address& address, TimePoint now, Actions& out);
  bool is_lost(const Address& address) const;
  void back_off(Address& address, TimePoint now);
  void expire(TimePoint now);
  std::string key_of(const Address& address) const;

  Options options_;
  std::mt19937_64 random_;
  std::map<std::string, Peer> peers_;
  std::map<std::string, Address> addresses_;
  std::set<std::string> owed_;
  std::set<std::string> lost_;
  struct Ask {
    TimePoint next{};
    Duration pause{};
  };
  std::map<std::string, Ask> asks_;  // by node
  std::set<std::string> news_;
  std::size_t links_ = 0;
  // What wake_at() found; empty: something has changed since.
  mutable std::optional<std::optional<TimePoint>> wake_at_;
  TimePoint lonely_at_{};  // from then on others than seeds are dialled too
  bool lonely_ = false;    // there was no link, and are too few since
  TimePoint any_at_{};     // the next of whom others tell
  TimePoint expire_at_{};
};

}  // namespace marram::mesh
