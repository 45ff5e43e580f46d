// What the broker keeps: readers, the trie of their filters, the tail, and the
// work that waits.  See broker.h.
//
// Threads: the loop thread only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/delivery/consumer.h"
#include "core/delivery/log_table.h"
#include "core/delivery/tail.h"
#include "core/event/filter_trie.h"
#include "core/node/broker.h"

namespace marram {

struct Broker::Body {
  // One reader: a consumer, and the member it has at the moment.
  struct Reader {
    std::uint32_t slot = 0;  // never used twice
    std::uint32_t no = 0;    // in the store; 0: ephemeral, or not stored yet
    std::string name;        // empty: ephemeral
    Start start;
    std::string attributes;
    WallTime created{};
    WallTime seen{};
    std::unique_ptr<Consumer> consumer;
    SubscriptionId member = 0;
    ListenerPtr listener;
    Consumer::Member wishes;  // of the member
    bool opening = false;     // the member waits for the store
    bool removing = false;
    bool dirty = false;
    std::vector<std::uint32_t> indices;  // of the batch that is being told
    TimePoint planned = TimePoint::max();
    std::uint64_t settled_before = 0;
    double rate_per_s = 0;
  };
  struct PendingRead {
    std::uint32_t slot;
    ReadLog read;
  };
  struct Answer {
    std::uint32_t slot;
    Stretch stretch;
  };

  Body(Store& the_store, Post the_post, Options the_options);

  Reader& add_reader(std::string name, Consumer consumer);
  Reader* find(std::uint32_t slot);
  Reader* find_member(SubscriptionId id);
  Reader* find_name(std::string_view name);
  void erase(Reader& reader);
  void set_filters(Reader& reader, std::vector<FilterRecord> filters);
  void mark(Reader& reader);
  ConsumerRecord record(const Reader& reader) const;
  ConsumerInfo info(const Reader& reader) const;

  Status check(const SubscribeOptions& options) const;
  void open_ephemeral(SubscriptionId id, SubscribeOptions options, ListenerPtr listener);
  void open_durable(SubscriptionId id, SubscribeOptions options, ListenerPtr listener);
  void take_over(Reader& reader, SubscriptionId id, const SubscribeOptions& options,
                 ListenerPtr listener);
  void store_then_attach(Reader& reader);
  void attach(Reader& reader);
  void end_member(Reader& reader, Error error);

  void carry_out(Reader& reader);
  void read(std::uint32_t slot, const ReadLog& read);
  void start_reads();
  void on_read(std::uint32_t slot, const ReadLog& read, Result<ReadResult> result);
  void find_time(std::uint32_t slot, const FindTime& find);
  void tick(Reader& reader);
  void plan(Reader& reader);
  void idle();
  const std::vector<std::uint32_t>& match(std::string_view topic);
  Now now() const { return {options.clock->now(), options.clock->wall()}; }

  Store& store;
  Post post;
  Options options;
  LogTable logs;
  Tail tail;
  WallTime recorded{};  // of the last commit that was told
  std::unordered_map<std::uint32_t, std::unique_ptr<Reader>> readers;
  std::map<std::string, Reader*, std::less<>> by_name;
  std::unordered_map<SubscriptionId, Reader*> by_member;
  std::unordered_map<std::uint32_t, Reader*> by_no;
  FilterTrie trie;
  std::unordered_map<std::string, std::vector<std::uint32_t>> matched;  // topic: slots
  std::string topic_key;                                                // to look into it
  std::vector<std::uint32_t> dirty;
  std::vector<std::uint32_t> touched;
  std::vector<LogRange> ranges;
  Actions actions;
  std::deque<PendingRead> waiting_reads;
  std::size_t reads = 0;
  std::vector<Answer> answers;  // from the tail
  std::vector<CursorMove> moves;
  using Wake = std::pair<TimePoint, std::uint32_t>;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes;
  TimePoint started{};
  TimePoint idle_at{};
  std::uint32_t next_slot = 1;
};

}  // namespace marram
