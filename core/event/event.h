// What is published, and how it travels inside a process.
//
// Event is the one people fill in and read.  EventView is the same as bytes
// somewhere else.  EventBatch owns the bytes of many events: one is filled by
// whoever takes events in, gets its positions from the store's writer, and is
// from then on shared, unchanged, by all who read near the head of the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/event/headers.h"

namespace marram {

// An append-only sequence of events with one writer: one run of one node, one stream.
struct LogId {
  std::string origin;  // node id
  std::string epoch;   // "<start number>-<random>": one run of the origin
  std::string stream;

  std::string text() const { return origin + "." + epoch + "." + stream; }
  bool operator==(const LogId&) const = default;
};

// Where an event stands: a log, by its number in this node's store, and the
// sequence number in it, from 1 without holes.  Zero is nowhere.  For the user of a
// Bus a number is one log's as long as that is open, whatever becomes of the store.
class Position {
 public:
  static constexpr int kSeqBits = 40;
  static constexpr std::uint32_t kLogMax = (1u << (63 - kSeqBits)) - 1;

  constexpr Position() = default;
  constexpr Position(std::uint32_t log, std::uint64_t seq)
      : packed_(static_cast<std::int64_t>(std::uint64_t{log} << kSeqBits | seq)) {}
  static constexpr Position from_packed(std::int64_t packed) {
    Position position;
    position.packed_ = packed;
    return position;
  }

  constexpr std::uint32_t log() const { return static_cast<std::uint32_t>(packed_ >> kSeqBits); }
  constexpr std::uint64_t seq() const {
    return static_cast<std::uint64_t>(packed_) & ((std::uint64_t{1} << kSeqBits) - 1);
  }
  constexpr std::int64_t packed() const { return packed_; }  // the store's primary key
  auto operator<=>(const Position&) const = default;

 private:
  std::int64_t packed_ = 0;
};

struct Event {
  std::string topic;
  std::string payload;
  std::string id;   // empty: a UUIDv7 is made
  std::string key;  // what must stay in order; empty: the topic
  std::string content_type;
  std::string client;  // who published, within the node; "" is the node itself
  HeaderPairs headers;
  WallTime time{};     // of the publisher; zero: when it was accepted
  WallTime expires{};  // zero: never
};

struct EventView {
  std::string_view topic;
  std::string_view payload;
  std::string_view id;   // text given by the publisher; empty: `uuid` is the id
  std::string_view key;  // empty: the topic
  std::string_view content_type;
  std::string_view client;
  std::string_view headers;  // packed, see headers.h
  Uuid uuid;
  WallTime time{};
  WallTime expires{};
  // Set by the store's writer:
  WallTime recorded{};
  Position position;

  std::string id_text() const { return id.empty() ? uuid.text() : std::string(id); }
  std::string_view ordering_key() const { return key.empty() ? topic : key; }
  // The bytes that count against queues and windows.
  std::size_t bytes() const;
  Event to_event() const;
};

// Topic, key, id, headers, payload against their rules and limits.
//
// Errors: Invalid, TooLarge  the message names the field, the value and the config key
Status check_event(const EventView& event, const Limits& limits);

// Threads: filled by one thread, then read by many.
class EventBatch {
 public:
  EventBatch();
  ~EventBatch();
  EventBatch(EventBatch&&) noexcept;
  EventBatch& operator=(EventBatch&&) noexcept;

  // Copies the event's bytes in; nothing is checked.  A canonical UUID text in
  // `id` becomes `uuid`; with neither, the batch's maker mints one.  Without a
  // time, `now` is it.  Events of one topic in a row share its bytes, see
  // same_text().  The reference lasts until the next add().
  EventView& add(const EventView& event, WallTime now, UuidMaker& ids);
  void add(const Event& event, std::string_view packed_headers, WallTime now, UuidMaker& ids);

  std::vector<EventView>& events() { return events_; }
  const std::vector<EventView>& events() const { return events_; }
  bool empty() const { return events_.empty(); }
  std::size_t size() const { return events_.size(); }
  std::size_t bytes() const { return bytes_; }  // of the events, without overhead

 private:
  std::string_view copy(std::string_view bytes);

  std::vector<EventView> events_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;
  std::size_t free_bytes_ = 0;
  std::size_t bytes_ = 0;
};

// Whether two texts are equal; at once for those that are the same bytes.
inline bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.data() == b.data() || a == b);
}

using EventBatchPtr = std::shared_ptr<const EventBatch>;

}  // namespace marram
