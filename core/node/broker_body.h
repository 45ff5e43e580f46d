// What a Broker is made of; for core/node/broker*.cc only.
//
// A Slot is one reader.  A durable one outlives its members; while the store makes
// or removes it, what concerns it is put off and done in order afterwards.
#pragma once

#include <deque>
#include <queue>
#include <string>
#include <tuple>
#include <unordered_map>

#include "core/delivery/consumer.h"
#include "core/delivery/tail.h"
#include "core/node/broker.h"
#include "core/node/drop_log.h"
#include "core/node/level_waits.h"
#include "core/node/match_cache.h"
#include "core/node/meter.h"

namespace marram {

struct Broker::Body {
  // Until an event comes again: a longer time is as good as never, and would not fit a clock.
  static constexpr Duration kWaitMax = std::chrono::hours(24 * 365 * 100);

  // An answer that waits until it is known how far back some consumers are.
  struct Question {
    std::size_t open = 0;
    std::function<void()> answer;
  };
  // Something that has to wait for the store; `id` is the subscription it is about.
  struct PutOff {
    SubscriptionId id = 0;
    ListenerPtr opens;  // set: an open()
    std::function<void()> run;
  };
  struct Slot {
    std::uint32_t index = 0;
    std::uint64_t uid = 0;  // never used twice
    std::unique_ptr<Consumer> consumer;
    bool durable = false;
    ConsumerRecord record;  // durable: as on disk or on the way there
    Meter meter;

    SubscriptionId id = 0;  // of the member; 0: none
    ListenerPtr listener;
    Consumer::Member member;

    bool with_store = false;  // being made or removed
    bool unsaved = false;     // the store has an older record than this
    std::deque<PutOff> put_off;
    std::vector<std::shared_ptr<Question>> questions;

    bool dirty = false;    // to be looked at by flush()
    bool wish = false;     // the mesh is to be told what it wants
    bool wished = false;   // it has been told before
    bool awaited = false;  // somebody waits for its cursor to move
    bool matched = false;  // in the batch at hand
    bool live = false;     // in the batch at hand
    std::vector<std::uint32_t> indices;
    std::optional<TimePoint> scheduled;
  };
  struct Read {
    std::uint32_t index;
    std::uint64_t uid;
    ReadLog read;
  };

  Body(Store& the_store, Post the_post, Options the_options);

  // broker.cc: events on their way
  void on_committed(const EventBatchPtr& batch);
  void match(const EventBatchPtr& batch);
  void on_missed(Position head);
  void on_log_opened(const LogRecord& record);
  void on_trimmed(std::uint32_t no, std::uint64_t first, const Gap& gap, std::uint64_t owed);
  void deliver(const EventBatchPtr& batch);
  void carry_out(Slot& slot, Actions& todo);
  void look_at(Slot& slot);
  void flush();
  void touch(Slot& slot);
  void tell_time();
  void schedule(Slot& slot);
  void on_tick();
  void sweep();
  void sweep_soon();
  void note_member(Slot& slot);

  // broker_copies.cc
  bool is_copy(const EventBatch& batch) const;
  void on_copied(const LogRecord& record, const std::vector<Gap>& gaps);
  void go_behind(const KnownLog& log);
  void grow(KnownLog& log);
  void on_log_forgotten(std::uint32_t no);
  void drop_forgotten();
  void wish(Slot& slot);
  void tell_wishes();
  mesh::Interest interest(Slot& slot) const;
  void forget_interest(Slot& slot);

  // broker_levels.cc
  Status check_level(const Level& level) const;
  Slot* route_slot(const std::string& route) const;
  bool has_reached(const Level& level, Position position) const;
  bool is_replicated(std::uint32_t peers, Position position) const;
  void await_level(const Level& level, const std::vector<Position>& positions, Duration patience,
                   std::function<void(Result<bool>)> done);
  void tell_delivered(Slot& slot);

  // broker_read.cc
  bool answer_from_memory(Slot& slot, const ReadLog& read, Actions& out);
  void ask_disk(const Read& read);
  void on_read(const Read& read, Result<ReadResult> result);
  void leave_out_dropped(Stretch& stretch, std::uint64_t first) const;
  void find_time(Slot& slot, const FindTime& find);
  void answer_questions(Slot& slot);

  // broker_readers.cc
  Status check(const SubscribeOptions& options) const;
  Status check_filters(const std::vector<std::string>& filters) const;
  void open(SubscriptionId id, const SubscribeOptions& options, const ListenerPtr& listener);
  void open_ephemeral(SubscriptionId id, const SubscribeOptions& options,
                      const ListenerPtr& listener);
  void open_durable(SubscriptionId id, const SubscribeOptions& options,
                    const ListenerPtr& listener);
  void make_durable(SubscriptionId id, const SubscribeOptions& options,
                    const ListenerPtr& listener);
  void on_made(std::uint32_t index, std::uint64_t uid, Result<std::uint32_t> no);
  void resume_durable(Slot& slot, SubscriptionId id, const SubscribeOptions& options,
                      const ListenerPtr& listener);
  void change(SubscriptionId id, const std::vector<std::string>& filters,
              const std::string& attributes);
  void set_filters(Slot& slot, const std::vector<std::string>& filters);
  void put(Slot& slot, std::function<void(Status)> done);
  void close(SubscriptionId id);
  void end_member(Slot& slot, Error error);
  void remove(const std::string& name, const ListenerPtr& listener, std::uint64_t token);
  void on_removed(Slot& slot, const ListenerPtr& listener, std::uint64_t token,
                  const Status& status);
  void put_off(Slot& slot, PutOff what);
  void run_put_off(const std::deque<PutOff>& list);

  Slot& add_slot(std::unique_ptr<Consumer> consumer, bool durable);
  void erase_slot(Slot& slot);
  void attach(Slot& slot, SubscriptionId id, const SubscribeOptions& options,
              const ListenerPtr& listener);
  Slot* slot_of(SubscriptionId id);                     // null: ended or put off
  Slot* still(std::uint32_t index, std::uint64_t uid);  // null: erased since

  // broker_status.cc
  void load();
  void consumers(std::function<void(std::vector<ConsumerInfo>)> done);
  void ask_how_far(std::function<void()> answer);
  ConsumerInfo info(const Slot& slot) const;
  std::string status_text();

  Store& store;
  Post post;
  const Options options;
  Log& log;
  LogTable logs;
  Tail tail;
  WallTime last_recorded{};
  TimePoint started{};
  Now now{};

  std::deque<std::unique_ptr<Slot>> slots;  // null: free
  std::vector<std::uint32_t> free;
  std::uint64_t next_uid = 1;
  std::size_t ephemeral = 0;
  std::size_t durable = 0;
  std::unordered_map<SubscriptionId, Slot*> by_id;  // members, and put-off opens
  std::unordered_map<std::string, Slot*> by_name;
  std::unordered_map<std::uint32_t, Slot*> by_no;
  std::unordered_map<std::uint64_t, Slot*> by_wish;  // by uid, as the mesh knows them
  MatchCache filters;

  InterestSink* interests = nullptr;
  std::vector<std::uint32_t> wishes;  // slots, by index
  EventBatchPtr copied;               // on_copied() about it comes next
  bool copied_more = false;           // and about others before it
  std::vector<std::uint32_t> forgotten;
  LevelWaits levels;
  DropLog drops;
  // By log: what peers have stored of it.
  std::unordered_map<std::uint32_t, std::vector<mesh::Replicated::Copy>> replicated;

  std::vector<std::uint32_t> dirty;
  std::vector<Slot*> matched;
  std::vector<LogRange> ranges;
  std::unordered_map<std::uint32_t, std::uint64_t> early_heads;  // of logs not yet opened
  std::vector<CursorMove> moves;
  std::deque<Read> reads_waiting;
  std::size_t reads_out = 0;
  using Wake = std::tuple<TimePoint, std::uint32_t, std::uint64_t>;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes;
  std::optional<TimePoint> sweep_at;
  std::size_t sweep_left = 0;  // slots until all have been looked at
  std::size_t sweep_next = 0;
};

}  // namespace marram
