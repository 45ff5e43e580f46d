// What a program can do with a node: one interface for an embedded node
// (core/node) and for a running one that is reached over ZeroMQ (core/client).
//
// The lower half never waits and is made of batches: submit(), open() and the
// rest say what is wanted, a Listener is told what became of it.  The upper half
// (blocking publish(), Subscription) is written once on top of it.
//
// A consumer named in SubscribeOptions is durable: its cursor is stored and
// moves only when an event is settled.  Without a name it is ephemeral and ends
// with its subscription.  Either way at most `in_flight_max` events are handed
// out and unsettled at a time; a durable consumer's place in that window is
// free again when the settlement is on disk, so that after a crash at most a
// window of events comes twice.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/mailbox.h"
#include "core/base/result.h"
#include "core/event/event.h"
#include "core/event/level.h"

namespace marram {

using SubscriptionId = std::uint64_t;

// What became of a submitted batch.  Batches of one submitter are answered in order.
struct Published {
  std::uint64_t token;
  EventBatchPtr batch;          // its events carry position and recorded time
  std::vector<Status> results;  // one an event; empty: all were stored
};

// Events for one subscription, in order.  Event i is batch->events()[indices[i]].
struct Delivered {
  SubscriptionId subscription;
  EventBatchPtr batch;
  std::vector<std::uint32_t> indices;
  std::uint32_t attempt = 1;  // of all of them; over 1: handed out before
};

// Events that a reader would have had but for a limit: said in their place.
struct Gap {
  std::uint32_t log = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // inclusive
  std::string
      reason;  // "retention", "unclaimed", "drop_oldest", "ttl", "memory", "lost", "corrupt"
};
struct Skipped {
  SubscriptionId subscription;
  Gap gap;
};

// The subscription is open (a durable consumer is on disk); deliveries follow.
// Or: a change() has taken effect, and is on disk where the consumer is durable.
struct Opened {
  SubscriptionId subscription;
};
struct Changed {
  SubscriptionId subscription;
  Status status;
};

// The subscription is over: refused, closed, taken over by another member, or the
// node went away.  The last notice of a subscription.
struct Ended {
  SubscriptionId subscription;
  Error error;
};

// The answer to remove_consumer().
struct Removed {
  std::uint64_t token;
  Status status;
};

// The answer to await_level(): true, or false: pending still when the time was over.
struct Reached {
  std::uint64_t token;
  Result<bool> reached;
};

using Notice =
    std::variant<Published, Delivered, Skipped, Opened, Changed, Ended, Removed, Reached>;

// Threads: notify() is called on threads of the node or client; it must hand
// over and return at once, and must not call the Bus.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void notify(Notice notice) = 0;
};

// Shared: an answer that comes after its asker has gone still finds somebody.
using ListenerPtr = std::shared_ptr<Listener>;

// A Listener that keeps notices until somebody takes them.
class Inbox : public Listener {
 public:
  void notify(Notice notice) override { box_.post(std::move(notice)); }
  bool take(std::vector<Notice>& out) { return box_.take(out); }
  bool wait(std::optional<std::chrono::microseconds> timeout) { return box_.wait(timeout); }
  void close() { box_.close(); }
  int fd() const { return box_.fd(); }

 private:
  Mailbox<Notice> box_;
};

struct Start {
  enum class At { New, Earliest, Seq, Time };
  At at = At::New;
  std::uint64_t seq = 0;  // At::Seq: in each log, from this number on
  WallTime time{};        // At::Time: recorded at or after
};

// Of a consumer that is there already, filters and attributes that are given replace
// those it has, as change() does; without them it keeps its own.
struct SubscribeOptions {
  std::vector<std::string> filters;
  std::string name;                  // empty: ephemeral
  std::optional<Start> start;        // used when the consumer is made; unset: New for
                                     // ephemeral, Earliest for named
  std::size_t in_flight_max = 1000;  // events
  std::size_t in_flight_bytes_max = 8 << 20;
  Duration ack_wait = std::chrono::seconds(30);  // then an event is handed out again; 0: never
  bool auto_settle = false;                      // taking an event from the Subscription settles it
  bool take_over = false;                        // end another member of the same name; else Busy
  std::string attributes;  // kept with a durable consumer for its owner, opaque
};

enum class Settle { Ack, Nack };

// A durable consumer, as it is stored.
struct ConsumerInfo {
  std::string name;
  std::vector<std::string> filters;
  std::string attributes;
  bool attached = false;
  std::uint64_t backlog = 0;       // stored events not yet settled, of all its logs
  std::optional<WallTime> oldest;  // recorded time of the first of them
  std::uint64_t in_flight = 0;
  std::uint64_t redelivered = 0;
  WallTime created{};
};

struct Receipt {
  std::string id;
  Position position;
  WallTime recorded{};
  bool pending = false;  // stored, but not known to have reached the level asked for
};

class Subscription;

class Bus {
 public:
  virtual ~Bus() = default;

  // Hands a checked, filled batch to the store; answered by Published.
  //
  // Errors, with `batch` left to the caller as it was:
  //   Overloaded  limits.queued_bytes_max are waiting already
  //   Closed, Forked
  virtual Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                        std::uint64_t token) = 0;

  // Opens a subscription, whose notices go to `listener`: first Opened, or Ended
  // when it is refused.
  //
  // Errors, as Ended: Invalid, TooLarge  a filter, name or number
  //                   Busy               the named consumer has a member already
  //                   Closed, Forked, Unreachable, TimedOut
  virtual SubscriptionId open(SubscribeOptions options, ListenerPtr listener) = 0;

  // Replaces filters and attributes; answered by Changed.  A filter that is new
  // matches what is recorded from now on; one that stays keeps what is owed to it.
  virtual void change(SubscriptionId id, std::vector<std::string> filters,
                      std::string attributes) = 0;

  // Settles handed-out events; unknown positions are ignored.  Ack moves the
  // cursor; Nack hands the event out again after `delay`, behind it those of the
  // same key.
  virtual void settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                      Duration delay = {}) = 0;

  // Ends the subscription: a durable consumer keeps its cursor, unsettled events
  // will come again.  Listener gets Ended, then nothing more.
  virtual void close_subscription(SubscriptionId id) = 0;

  // The durable consumers, by name.  Waits for the answer, as do status_json() and log_id().
  virtual Result<std::vector<ConsumerInfo>> consumers() = 0;
  // Forgets a consumer and what is owed to it; answered by Removed.
  // Errors: NotFound, Busy  it has a member
  virtual void remove_consumer(std::string name, ListenerPtr listener, std::uint64_t token) = 0;

  // Answered by Reached when all of `positions`, which are stored here, have reached `level`, or
  // when `patience` is over, or the node turns out to have another database, without them; of
  // each log the highest is enough.  Without positions it asks whether there is such a level here.
  // Errors, as Reached: Unsupported  a node without a mesh; NotFound  no such route here
  //                     Overloaded   too many wait already; Closed, Unreachable
  virtual void await_level(const Level& level, std::vector<Position> positions, Duration patience,
                           ListenerPtr listener, std::uint64_t token);

  // What `marram status --json` prints; docs/status.md has the fields.
  virtual Result<std::string> status_json() = 0;

  virtual const Limits& limits() const = 0;
  // The id of a log by its number here; what has come with a position stays known.
  // Errors: NotFound
  virtual Result<LogId> log_id(std::uint32_t log) = 0;

  // Stops taking, commits what was taken, ends subscriptions.  Idempotent.
  virtual void close() = 0;

  // --- the blocking half, the same for both ---

  // Returns when the event is stored as its stream promises, and has reached `level` or
  // the time is over: then the receipt is pending, and nothing is lost.
  // Errors: as await_level(), before anything is stored; Invalid, TooLarge, Full, Io, Closed,
  // Forked; TimedOut  not known to be
  //         stored yet; publishing again with the same id is safe for consumers that dedupe
  Result<Receipt> publish(const Event& event, Duration timeout = std::chrono::seconds(30),
                          const Level& level = {});

  // All in one batch, which is stored in order; a receipt for each.  When some
  // are refused the error says which and why; the others are stored.
  Result<std::vector<Receipt>> publish_many(std::span<const Event> events,
                                            Duration timeout = std::chrono::seconds(30),
                                            const Level& level = {});

  // await_level(), waiting.
  Result<bool> reach(const Level& level, std::vector<Position> positions, Duration patience);

  Status remove_consumer(const std::string& name);

  // Errors: as open().  The Bus must outlive the Subscription.
  Result<std::unique_ptr<Subscription>> subscribe(SubscribeOptions options);
};

// One event as handed out.
struct Delivery {
  EventBatchPtr batch;  // keeps `event` alive
  const EventView* event = nullptr;
  std::uint32_t attempt = 1;
};

// A reader that pulls.
//
// Threads: fetch() from one thread at a time; the rest from any.
class Subscription {
 public:
  Subscription(Bus& bus, SubscribeOptions options);
  ~Subscription();  // closes
  Status open();

  // Up to `max` events; waits until there is at least one.  Empty when the time
  // passed.  Gaps met on the way are in take_gaps() afterwards.
  //
  // Errors: Closed and what ended the subscription
  Result<std::vector<Delivery>> fetch(std::size_t max, std::optional<Duration> timeout);

  void ack(Position position);
  void ack(std::span<const Position> positions);
  void nack(Position position, Duration delay = {});

  // Readable when fetch() may have something; spurious wake-ups are possible.
  int fd() const { return inbox_->fd(); }
  std::vector<Gap> take_gaps();
  void close();

 private:
  void sort(Notice&& notice);
  Status wait_opened();

  Bus& bus_;
  SubscribeOptions options_;
  std::atomic<SubscriptionId> id_ = 0;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::vector<Notice> notices_;  // of fetch()'s thread, as are the next three
  std::vector<Delivery> waiting_;
  std::size_t next_ = 0;
  std::optional<Error> ended_;
  Guarded<std::vector<Gap>> gaps_;
};

}  // namespace marram
