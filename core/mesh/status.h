// How the mesh stands, as `status` and metrics show it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/event/event.h"

namespace marram::mesh {

struct LinkStatus {
  std::string peer;
  std::string name;
  std::string address;
  bool dialled = false;
  Duration round_trip{};
  std::uint64_t rate_bytes = 0;  // per second, as measured while there was enough to send
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t received_bytes = 0;      // that are not stored yet
  std::uint64_t read_bytes = 0;          // for the peer, not sent yet
  std::uint64_t wants = 0;               // served to the peer
  std::uint64_t backlog[3] = {0, 0, 0};  // positions not sent yet, by priority, high first
};
struct HoldStatus {
  std::string peer;
  std::string stream;
  bool connected = false;
  std::uint64_t owed = 0;  // positions
  WallTime contact{};
};
struct HoleStatus {
  LogId log;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::string waits_for;
};
// A node whose beacon was heard of late.
struct HeardStatus {
  std::string peer;
  std::string address;
  bool reached = false;  // by a link, or a path of the map
};
struct MeshStatus {
  std::vector<LinkStatus> links;
  std::vector<HoldStatus> holds;
  std::vector<HoleStatus> holes;
  std::vector<HeardStatus> heard;
  std::size_t nodes = 0;
  std::size_t logs = 0;
  std::map<std::string, std::uint64_t> gaps;  // positions declared or passed on, by reason
  std::uint64_t duplicates = 0;               // events that came and were here already
  std::uint64_t refused = 0;                  // sessions
};

}  // namespace marram::mesh
