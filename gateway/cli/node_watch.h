// How a node of a scene stands, as it says itself.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/client/client.h"

namespace marram::cli {

struct Standing {
  std::uint64_t owed_to_route = 0;  // events stored and not yet delivered outside
  double oldest_age_s = 0;          // of those
  std::uint64_t held_for_peer = 0;  // events that the peer furthest behind may still need
};

class NodeWatch {
 public:
  explicit NodeWatch(std::filesystem::path data_dir) : data_dir_(std::move(data_dir)) {}

  // Null while the node does not answer.
  Client* client();
  void forget_client() { client_.reset(); }  // before the node is killed

  // As last heard; asks the node at most four times a second.
  Standing standing();
  // Different readings below `topics` in the node's store, read back through the client.
  // Errors: Unreachable; as Bus::subscribe(), Subscription::fetch()
  Result<std::uint64_t> count_readings(const std::string& topics);

 private:
  std::filesystem::path data_dir_;
  std::unique_ptr<Client> client_;
  Standing standing_;
  TimePoint asked_at_{};
};

}  // namespace marram::cli
