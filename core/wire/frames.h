// The frames of the client endpoint, as values.
//
// A frame is one ZeroMQ message of one part: a msgpack array whose first element
// is its verb.  docs/wire.md is the protocol's one home (grammar, states, limits,
// versions); here is what the elements become in memory, in the same order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/result.h"
#include "core/event/bus.h"
#include "core/event/event.h"

namespace marram::wire {

inline constexpr std::uint32_t kVersionLow = 1;  // of what this build speaks
inline constexpr std::uint32_t kVersionHigh = 1;
inline constexpr std::string_view kMagic = "marram";
inline constexpr std::string_view kRoleClient = "client";

inline constexpr std::size_t kEventsMax = 16'384;     // of one frame
inline constexpr std::size_t kFiltersMax = 65'536;    // of one frame; a consumer may have fewer
inline constexpr std::size_t kSettledMax = 65'536;    // positions of one SETTLE
inline constexpr std::size_t kAwaitedMax = 1024;      // positions of one AWAIT
inline constexpr std::size_t kTokensMax = 512 << 10;  // msgpack values of one frame
inline constexpr std::size_t kDepthMax = 6;           // arrays in arrays

// 1 to 15 any session, 16 to 63 clients, 64 to 127 peers; from 128 on a verb may
// be ignored by who does not know it.
enum class Verb : std::uint8_t {
  Hello = 1,
  Welcome = 2,
  Ping = 3,
  Pong = 4,
  Error = 5,
  Bye = 6,
  Publish = 16,
  Published = 17,
  Open = 20,
  Opened = 21,
  Change = 22,
  Changed = 23,
  Settle = 24,
  Deliver = 25,
  Gap = 26,
  Close = 27,
  Ended = 28,
  Remove = 32,
  Removed = 33,
  Consumers = 34,
  ConsumerList = 35,
  Status = 36,
  StatusText = 37,
  Log = 38,
  LogName = 39,
  Failed = 40,
  Await = 41,
  Awaited = 42,
  LogIs = 128,
};
inline constexpr std::uint64_t kIgnorableFrom = 128;

struct Hello {
  std::uint32_t low = kVersionLow;
  std::uint32_t high = kVersionHigh;
  std::string role{kRoleClient};
  std::string name;         // of the client
  std::string instance;     // the same in every session of one client, else unique
  Duration silent_after{};  // it gives up a node that is silent for this long
};

struct Welcome {
  std::uint32_t version = kVersionHigh;
  std::string node_name;
  std::string node_id;
  Duration silent_after{};         // the node gives up a client that is silent for this long
  std::uint64_t window_bytes = 0;  // of PUBLISH frames without an answer
  Limits limits;                   // those that clients can run into
};

struct Ping {
  std::uint64_t number = 0;
};
struct Pong {
  std::uint64_t number = 0;
};
struct Broken {
  Error error;
};  // ERROR: the session is over
struct Bye {
  Error error;
};

struct Publish {
  std::uint64_t number = 0;           // of the frame, from 1, without holes
  std::unique_ptr<EventBatch> batch;  // events are not checked against their rules
};

// The outcome of `count` events in a row: stored from `position` on, or refused.
struct Run {
  std::uint64_t count = 0;
  Position position;
  WallTime recorded{};
  std::optional<Error> error;
};
struct PublishAnswer {
  std::uint64_t number = 0;
  std::vector<Run> runs;
};

struct Open {
  SubscriptionId id = 0;
  SubscribeOptions options;  // auto_settle is the reader's own affair
};
struct OpenAnswer {
  SubscriptionId id = 0;
  WallTime now{};  // nothing recorded later was passed over
};
struct Change {
  SubscriptionId id = 0;
  std::vector<std::string> filters;
  std::string attributes;
};
struct ChangeAnswer {
  SubscriptionId id = 0;
  marram::Status status;
};
struct Settlement {
  SubscriptionId id = 0;
  Settle how = Settle::Ack;
  Duration delay{};
  std::vector<Position> positions;
};
struct Deliver {
  SubscriptionId id = 0;
  std::uint32_t attempt = 1;
  std::unique_ptr<EventBatch> batch;
};
struct GapNotice {
  SubscriptionId id = 0;
  marram::Gap gap;
};
struct Close {
  SubscriptionId id = 0;
};
struct EndNotice {
  SubscriptionId id = 0;
  Error error;
};
// Which log a number is: said once a session, before the first position in it.
struct LogIs {
  std::uint32_t log = 0;
  LogId id;
};

// Questions; the answer, or Failed, has the same number.
struct Remove {
  std::uint64_t number = 0;
  std::string name;
};
struct RemoveAnswer {
  std::uint64_t number = 0;
  marram::Status status;
};
struct AskConsumers {
  std::uint64_t number = 0;
};
struct ConsumerList {
  std::uint64_t number = 0;
  bool more = false;  // another frame of this answer follows
  std::vector<ConsumerInfo> consumers;
};
struct AskStatus {
  std::uint64_t number = 0;
};
struct StatusText {
  std::uint64_t number = 0;
  std::string json;
};
struct AskLog {
  std::uint64_t number = 0;
  std::uint32_t log = 0;
};
struct LogName {
  std::uint64_t number = 0;
  LogId id;
};
struct Failed {
  std::uint64_t number = 0;
  Error error;
};
// All of `positions` have reached the level, or `patience` is over.
struct Await {
  std::uint64_t number = 0;
  std::string level;  // as level_text()
  Duration patience{};
  std::vector<Position> positions;
};
struct Awaited {
  std::uint64_t number = 0;
  bool reached = false;  // false: pending
};

// A verb from 128 on that this build does not know: to be ignored.
struct Unknown {
  std::uint64_t verb = 0;
};

using Frame = std::variant<Hello, Welcome, Ping, Pong, Broken, Bye, Publish, PublishAnswer, Open,
                           OpenAnswer, Change, ChangeAnswer, Settlement, Deliver, GapNotice, Close,
                           EndNotice, LogIs, Remove, RemoveAnswer, AskConsumers, ConsumerList,
                           AskStatus, StatusText, AskLog, LogName, Failed, Await, Awaited, Unknown>;

}  // namespace marram::wire
