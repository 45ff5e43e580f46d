// Who wants what, and what they are handed: every decision of delivery, on the
// loop thread.
//
// The broker is told what the store did and what readers want.  It keeps one
// Consumer (core/delivery, which decides) a reader, a trie of all their filters,
// and a bounded tail of recent batches; it carries out what consumers ask for:
// reads from the tail or the disk, notices, cursor writes.  Reads of the disk go on
// at most `reads_max` at a time; the rest waits its turn.
//
//     commit --> trie --> live consumers --> Delivered
//     settle, read, timer --> consumer --> flush(): reads, Delivered, cursors
//
// Threads: the loop thread only, but for new_id().  Listeners are notified on it,
// from within these functions; they must not call the Broker.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/delivery/log_table.h"
#include "core/delivery/tail.h"
#include "core/event/bus.h"
#include "core/mesh/values.h"
#include "core/store/store.h"

namespace marram {

class Reporters;

// Is told what the readers of this node want; the mesh.
//
// Threads: the loop thread.  Must not call the Broker from within.
class InterestSink {
 public:
  virtual ~InterestSink() = default;
  virtual void put_interest(mesh::Interest interest) = 0;  // new, or changed
  virtual void drop_interest(std::uint64_t id) = 0;
  // A durable reader's cursor in a copy, as it is on disk.
  virtual void move_cursor(std::uint64_t interest, std::uint32_t log, std::uint64_t upto) = 0;
};

class Broker {
 public:
  struct Options {
    Limits limits;
    std::string name;
    std::string data_dir;
    const Clock* clock = &Clock::system();
    Log* log = nullptr;              // null: none
    Reporters* reporters = nullptr;  // null: none
    std::size_t reads_max = 16;
    // A mesh: logs that this run does not write are copies, and each reader reads them as
    // far as on_readable() says.
    bool copies = false;
  };
  // Runs a task on the loop thread, later; called from any thread.
  using Post = std::function<void(std::function<void()>)>;

  // Takes up the logs and consumers of `store`, which outlives the broker.
  Broker(Store& store, Post post, Options options);
  ~Broker();

  // --- for readers: the verbs of Bus, without waiting ---

  // A number for open().  Any thread.
  SubscriptionId new_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  // Answered by Opened, or by Ended, through `listener`; perhaps before it returns.
  void open(SubscriptionId id, const SubscribeOptions& options, const ListenerPtr& listener);
  void change(SubscriptionId id, const std::vector<std::string>& filters,
              const std::string& attributes);
  void settle(SubscriptionId id, std::span<const Position> positions, Settle how, Duration delay);
  void close_subscription(SubscriptionId id);
  void remove_consumer(const std::string& name, const ListenerPtr& listener, std::uint64_t token);
  void consumers(std::function<void(std::vector<ConsumerInfo>)> done);
  // As Bus::await_level(); `done` runs on the loop, perhaps before it returns.
  void await_level(const Level& level, const std::vector<Position>& positions, Duration patience,
                   std::function<void(Result<bool>)> done);
  // What Bus::status_json() answers.
  void status_json(std::function<void(std::string)> done);
  // Ends every subscription with `error`; consumers stay as they are on disk.
  void end_all(const Error& error);

  // --- from the store, in its order ---

  void on_committed(const EventBatchPtr& batch);
  // Batches up to these positions were committed and not kept in memory.
  void on_dropped(std::span<const Position> heads, WallTime recorded);
  void on_log_opened(const LogRecord& log);
  void on_cursors_saved(std::span<const CursorMove> moves);
  void on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap, std::uint64_t owed);
  // Comes behind on_committed() of the events that the copy got, if there were any.
  void on_copied(const LogRecord& log, const std::vector<Gap>& gaps);
  void on_backfilled(const LogRecord& log);
  void on_log_forgotten(std::uint32_t log);

  // --- with a mesh ---

  // Before the first flush(); outlives the broker.
  void set_interests(InterestSink& sink);
  void on_readable(const mesh::Readable& readable);
  void on_replicated(const mesh::Replicated& replicated);
  // What memory has of a log behind `after`; a batch may begin before it and have events of
  // other logs too.
  std::optional<Tail::Part> recent(std::uint32_t log, std::uint64_t after) const;
  // The lowest seq behind `after` that memory has.
  std::optional<std::uint64_t> oldest_recent(std::uint32_t log, std::uint64_t after) const;
  const LogTable& logs() const;

  // --- from the loop ---

  // Carries out what the calls since the last flush have made possible.
  void flush();
  void on_tick();
  std::optional<TimePoint> wake_at() const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
  std::atomic<SubscriptionId> next_id_ = 1;
};

}  // namespace marram
