// Frames to bytes.  What is encoded is not checked: who fills in a frame keeps
// within its limits.
//
// Threads: free functions without state.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/wire/frames.h"

namespace marram::wire {

std::string encode(const Hello& hello);
std::string encode(const Welcome& welcome);
std::string encode(const Ping& ping);
std::string encode(const Pong& pong);
std::string encode(const Broken& broken);
std::string encode(const Bye& bye);
std::string encode(const PublishAnswer& answer);
std::string encode(const Open& open);
std::string encode(const OpenAnswer& answer);
std::string encode(const Change& change);
std::string encode(const ChangeAnswer& answer);
std::string encode(const GapNotice& notice);
std::string encode(const Close& close);
std::string encode(const EndNotice& notice);
std::string encode(const LogIs& log);
std::string encode(const Remove& remove);
std::string encode(const RemoveAnswer& answer);
std::string encode(const AskConsumers& ask);
std::string encode(const ConsumerList& list);
std::string encode(const AskStatus& ask);
std::string encode(const StatusText& text);
std::string encode(const AskLog& ask);
std::string encode(const LogName& name);
std::string encode(const Failed& failed);
std::string encode(const Await& await);
std::string encode(const Awaited& awaited);

// PUBLISH, straight from a batch.
std::string encode_publish(std::uint64_t number, std::span<const EventView> events);

// DELIVER of events[indices[i]], each with position and recorded time.
std::string encode_deliver(SubscriptionId id, std::uint32_t attempt,
                           std::span<const EventView> events,
                           std::span<const std::uint32_t> indices);

// SETTLE; positions that follow one another are one run.
std::string encode_settle(SubscriptionId id, std::span<const Position> positions, Settle how,
                          Duration delay);

// What an event takes in a frame, at most.
std::size_t frame_bytes(const EventView& event);

// The events that go into the first of the frames that carry `events`: as many as
// fit into `bytes`, at least one, at most kEventsMax; and their bytes, at most.
struct FrameShare {
  std::size_t events = 0;
  std::size_t bytes = 64;
};
FrameShare first_frame(std::span<const EventView> events, std::size_t bytes);
std::size_t first_frame(std::span<const EventView> events, std::span<const std::uint32_t> indices,
                        std::size_t bytes);

}  // namespace marram::wire
