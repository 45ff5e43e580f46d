// The batches committed last, for readers near the head: they need no disk.
//
// Threads: the owner's only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/delivery/fifo.h"
#include "core/event/event.h"

namespace marram {

// What a batch has of one log; of a copy, what it says about a stretch of it.
struct LogRange {
  std::uint32_t log = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::string gap;  // not empty: nothing of it is to be had, for this reason
};
// One for each log, in the order of their first events; `out` is replaced.
void ranges_of(const EventBatch& batch, std::vector<LogRange>& out);

class Tail {
 public:
  explicit Tail(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  // The memory that a batch takes.
  static std::size_t cost(const EventBatch& batch);

  // Newer batches push out the oldest; the newest one stays, whatever its size.
  void push(const EventBatchPtr& batch, const std::vector<LogRange>& ranges);
  void clear();
  // Up to there nothing of the log is here any more.
  void cut(std::uint32_t log, std::uint64_t upto);
  // What is here of a log is not all of it any more; what is pushed later is.
  void forget(std::uint32_t log) { logs_.erase(log); }

  struct Part {
    EventBatchPtr batch;
    std::uint64_t upto = 0;  // last seq of the log in it
    std::string gap;         // not empty: nothing up to there, for this reason
  };
  // The batch that speaks of `seq` of `log`, if it is still here.
  std::optional<Part> find(std::uint32_t log, std::uint64_t seq) const;
  // The lowest seq behind `after` that something is known of.
  std::optional<std::uint64_t> next(std::uint32_t log, std::uint64_t after) const;
  std::size_t bytes() const { return bytes_; }

 private:
  struct Held {
    EventBatchPtr batch;
    std::size_t bytes = 0;
    std::vector<std::uint32_t> logs;
  };
  struct Ref {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    EventBatchPtr batch;
    std::string gap;
  };
  void drop_oldest();

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  Fifo<Held> held_;
  std::unordered_map<std::uint32_t, Fifo<Ref>> logs_;
};

}  // namespace marram
