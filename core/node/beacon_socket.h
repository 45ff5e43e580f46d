// The LAN beacon's socket: says on each interface where this node listens, and hears others.
//
// One UDP socket, bound to the multicast group, so that what is sent to this machine alone does
// not reach it.  Interfaces come and go: they are looked at every few seconds.  Of what is heard
// only beacons of trusted keys go on, from an address in the network of the interface that they
// came in by; the rest is counted, and logged as refusals are.  What is not read for a moment
// because too much comes, the system drops.
//
// Threads: open() by one, before the loop starts; the rest on the loop thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/node/loop.h"
#include "core/node/mesh_options.h"
#include "core/node/refusals.h"
#include "core/node/trust_store.h"
#include "core/wire/link_frames.h"

struct ifaddrs;

namespace marram {

// Whether a beacon can be of use with these options, and its group is one.  Errors: Config
Status check_beacon(const MeshNodeOptions& mesh);

class BeaconSocket {
 public:
  struct Options {
    std::string group;                    // "239.X.Y.Z:PORT"
    std::vector<std::string> interfaces;  // names or addresses; none: all but loopback
    std::vector<std::string> endpoints;   // where this node listens, as bound
    std::string key;                      // its own
    const TrustList* trust = nullptr;
    Log* log = nullptr;
    int (*list)(ifaddrs** list) = nullptr;  // as getifaddrs(); null: that
  };
  struct Heard {
    wire::PeerRecord peer;
    bool asks = false;
  };

  // Errors: Config  no group; Busy, Io  the system says no
  static Result<std::unique_ptr<BeaconSocket>> open(Options options);
  ~BeaconSocket();
  BeaconSocket(const BeaconSocket&) = delete;
  BeaconSocket& operator=(const BeaconSocket&) = delete;

  // Where nobody can hear it (no interface, no network) nothing happens.
  void send(bool asks, TimePoint now);
  // Who is not trusted is said again.
  void trust_changed();

  void add_poll_items(std::vector<zmq::pollitem_t>& items);
  std::vector<Heard> run(TimePoint now);
  std::optional<TimePoint> wake_at() const { return rest_until_; }
  // Those that were not taken, by reason: untrusted, malformed, elsewhere.
  const std::map<std::string, std::uint64_t>& refused() const { return refusals_.counts(); }

 private:
  // An address of this machine, and those that can be met there.
  struct Place {
    int interface = 0;
    std::uint32_t address = 0;  // in the host's order, as the others
    std::uint32_t mask = 0;
    std::uint32_t far_end = 0;  // of a line between two; 0: none
    std::uint16_t port = 0;     // that others can dial there
  };
  struct Port {
    std::uint32_t address = 0;  // 0: any
    std::uint16_t port = 0;
  };

  explicit BeaconSocket(Options options);
  Status bind();
  void look();
  void check_names(const ifaddrs* list);
  std::optional<Place> place_of(const ifaddrs& one) const;
  std::uint16_t port_at(std::uint32_t address) const;
  void join(std::vector<Place> places);
  void complain(const std::string& what, int error);
  std::optional<Heard> take(std::string_view datagram, std::uint32_t from, int interface);
  void refuse_stranger(const std::string& id, const std::string& key, const std::string& address);
  bool is_near(std::uint32_t address, int interface) const;

  const Options options_;
  std::vector<Port> ports_;
  std::uint32_t group_ = 0;
  std::uint16_t group_port_ = 0;
  int fd_ = -1;
  std::vector<Place> places_;
  std::set<int> joined_;  // interfaces
  TimePoint look_at_{};
  std::set<std::string> complaints_;
  std::map<std::string, std::set<std::string>> strangers_;  // ids by address: some of those heard
  Refusals refusals_;
  std::optional<TimePoint> rest_until_;  // too much has come: it is not read before
  TimePoint now_{};
};

}  // namespace marram
