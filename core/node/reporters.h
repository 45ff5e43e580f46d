// The parts of a process that add to status_json().
//
// Threads: all functions may be called from any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/mailbox.h"
#include "core/node/node.h"

namespace marram {

class Reporters {
 public:
  void add(std::string key, Node::Reporter& reporter);
  // Waits for a report that is being made; afterwards the reporter is not called again.
  void remove(std::string_view key);
  // Key and JSON text of each, in the order of add().
  std::vector<std::pair<std::string, std::string>> report();

 private:
  Guarded<std::vector<std::pair<std::string, Node::Reporter*>>> reporters_;
};

}  // namespace marram
