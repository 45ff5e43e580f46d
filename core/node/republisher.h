// Publishes again what this run has written, into a new epoch.
//
// Wanted when two events have one position, which only a resumed memory snapshot can
// bring about: the events keep their ids, so that readers that dedupe do not mind.
//
// Threads: the loop's only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/log.h"
#include "core/event/bus.h"
#include "core/store/store.h"

namespace marram {

class Republisher {
 public:
  // Of a log everything up to `upto`.
  struct Part {
    std::uint32_t log = 0;
    std::uint64_t upto = 0;
  };
  using Post = std::function<void(std::function<void()>)>;

  // `store` outlives it.
  Republisher(Store& store, Post post, Log& log);

  // The epoch has ended: reads and submits.  What comes while it is at it is done then.
  void begin(std::vector<Part> parts);
  bool busy() const { return state_ != nullptr; }

 private:
  class State;

  void step();
  void on_read(Result<ReadResult> read);
  void submit();

  Store& store_;
  const Post post_;
  Log& log_;
  std::shared_ptr<State> state_;
};

}  // namespace marram
