// The filters of one session, with what each asks for.
//
// They are kept with the session's durable consumer as JSON, in its attributes:
//     {"expiry":3600,"filters":[{"filter":"a/#","qos":1,"id":7}]}
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/filter_trie.h"

namespace marram::mqtt {

struct SubscriptionOptions {
  std::uint8_t qos = 0;  // 0 or 1
  bool no_local = false;
  bool retain_as_published = false;  // kept; there are no retained messages yet
  std::uint32_t identifier = 0;      // 0: none

  bool operator==(const SubscriptionOptions&) const = default;
};

// How one event goes out to the session.
struct Outgoing {
  bool wanted = false;                     // false: only filters with no_local match
  std::uint8_t qos = 0;                    // the highest of all matching filters
  std::vector<std::uint32_t> identifiers;  // of all matching filters, ascending
};

// Threads: one at a time.
class Subscriptions {
 public:
  // Replaces the options of a filter that is there.  False when it was new.
  bool put(std::string_view filter, const SubscriptionOptions& options);
  bool erase(std::string_view filter);
  bool has(std::string_view filter) const { return table_.find(filter) != table_.end(); }

  // `own`: the session's own client published the event.
  void match(std::string_view topic, bool own, Outgoing& out);

  std::vector<std::string> filters() const;
  std::size_t size() const { return table_.size(); }
  bool empty() const { return table_.empty(); }

  using Table = std::map<std::string, SubscriptionOptions, std::less<>>;
  const Table& table() const { return table_; }
  void restore(Table table) {
    table_ = std::move(table);
    prepared_ = false;
  }

 private:
  void prepare();

  Table table_;
  bool prepared_ = false;
  bool alike_ = true;  // all have the same QoS, no identifier, no no_local
  FilterTrie trie_;    // filled when they are not alike
  std::vector<const SubscriptionOptions*> by_value_;
  std::vector<FilterTrie::Value> found_;
};

// What a durable consumer keeps for its session.
struct StoredSession {
  std::uint32_t expiry_s = 0;
  Subscriptions::Table subscriptions;
};

std::string to_attributes(std::uint32_t expiry_s, const Subscriptions::Table& subscriptions);
// Empty when the text is not what to_attributes() writes.
std::optional<StoredSession> from_attributes(std::string_view attributes);

}  // namespace marram::mqtt
