// Host names to addresses, without waiting: one look-up, asked again until it is done.
//
// ZeroMQ would look names up on the thread that moves all bytes, and a server that does not
// answer would hold up every link.
//
// Threads: one at a time.  Each look-up has a thread of its own, which outlives it when the
// system's resolver takes longer than anybody waits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace marram {

class NameLookup {
 public:
  // Begins to look for tcp addresses of `host`.
  NameLookup(const std::string& host, std::uint16_t port);

  // Empty while it is not known yet.  "tcp://10.0.0.7:7400", "tcp://[fe80::1]:7400", in the
  // order in which they are to be tried, each once.
  //
  // Errors: Unreachable  no such name, or nobody who knows it
  std::optional<Result<std::vector<std::string>>> result();

 private:
  struct Question;
  std::shared_ptr<Question> question_;  // shared with the thread
};

}  // namespace marram
