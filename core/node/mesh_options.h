// How a node meets others: [mesh] of the configuration, as values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace marram {

// Neither `listen` nor `peers` nor `beacon`: no mesh.
struct MeshNodeOptions {
  std::vector<std::string> listen;  // "tcp://0.0.0.0:7400" (port 0: any), "ipc://PATH"
  std::vector<std::string> peers;   // addresses to dial
  // Where others can dial this node; empty: at `listen`, unless that is every interface.
  std::vector<std::string> advertise;
  // Made on first start; the node's id is the hash of its public half.  Empty: no key, plain links.
  std::filesystem::path key_file;
  std::vector<std::string> trust;  // public keys, Z85
  std::filesystem::path
      trust_dir;          // more of them, a file each, looked at while it runs; empty: none
  bool insecure = false;  // plain links everywhere, also beyond loopback
  std::vector<std::string> carry;  // stream names, or "*"
  // Says on the LAN where this node listens, and dials trusted nodes that say so.
  bool beacon = false;
  std::string beacon_group = "239.255.77.82:7420";
  // Names or IPv4 addresses; none: all that can multicast, but loopback.
  std::vector<std::string> beacon_interfaces;

  bool on() const { return !listen.empty() || !peers.empty() || beacon; }
  // Whether links are encrypted and peers proved by key.
  bool secure() const { return !key_file.empty() && !insecure; }
};

}  // namespace marram
