// One frame of every verb, with fixed values; the golden vectors are these.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/wire/encode.h"

namespace marram::test {

inline WallTime at(std::int64_t micros) { return WallTime(Duration(micros)); }

inline EventBatch sample_batch() {
  using std::string_literals::operator""s;
  EventBatch batch;
  UuidMaker ids;
  EventView plain;
  plain.topic = "plant/1/temp";
  plain.payload = "21.5";
  plain.uuid = *Uuid::parse("0192f1a4-0000-7000-8000-000000000001");
  plain.time = at(1'764'000'000'000'000);
  plain.recorded = at(1'764'000'000'000'500);
  plain.position = Position(3, 41);
  batch.add(plain, {}, ids);

  const std::string headers = "\x00\x04unit\x00\x01"s + "C";
  const std::string payload = "\xff\x00!"s;
  EventView full = plain;
  full.topic = "plant/2/alarm";
  full.payload = payload;
  full.id = "order-7";
  full.uuid = {};
  full.key = "plant/2";
  full.content_type = "application/octet-stream";
  full.headers = headers;
  full.client = "gateway";
  full.expires = at(1'764'000'060'000'000);
  full.position = Position(3, 42);
  batch.add(full, {}, ids);
  return batch;
}

inline wire::Open sample_open() {
  wire::Open open;
  open.id = 7;
  open.options.name = "billing";
  open.options.filters = {"plant/+/temp", "plant/#"};
  open.options.start = Start{.at = Start::At::Time, .time = at(1'764'000'000'000'000)};
  open.options.in_flight_max = 100;
  open.options.in_flight_bytes_max = 1 << 20;
  open.options.ack_wait = std::chrono::seconds(30);
  open.options.take_over = true;
  open.options.attributes = "{}";
  return open;
}

inline wire::ConsumerList sample_consumers() {
  ConsumerInfo idle{.name = "idle", .filters = {"#"}};
  ConsumerInfo busy{.name = "billing",
                    .filters = {"plant/#"},
                    .attributes = "x",
                    .attached = true,
                    .backlog = 12,
                    .oldest = at(1'764'000'000'000'000),
                    .in_flight = 3,
                    .redelivered = 1,
                    .created = at(1'763'000'000'000'000)};
  return {5, true, {idle, busy}};
}

inline wire::PublishAnswer sample_answer() {
  return {9,
          {{1000, Position(3, 41), at(1'764'000'000'000'500), {}},
           {2, {}, {}, Error{Errc::Full, "store: stream events is full"}}}};
}

inline std::vector<std::pair<std::string, std::string>> sample_frames() {
  const EventBatch batch = sample_batch();
  const std::vector<std::uint32_t> both = {0, 1};
  const std::vector<Position> positions = {Position(3, 41), Position(3, 42), Position(3, 44)};
  const Error taken{Errc::Busy, "consumer: billing has a member already"};
  const wire::Hello hello{
      .name = "sensor-1", .instance = "c0ffee", .silent_after = std::chrono::seconds(10)};
  const wire::Welcome welcome{.node_name = "gw-3",
                              .node_id = "ab12",
                              .silent_after = std::chrono::seconds(15),
                              .window_bytes = 8 << 20};
  return {
      {"hello", encode(hello)},
      {"welcome", encode(welcome)},
      {"ping", encode(wire::Ping{1})},
      {"pong", encode(wire::Pong{1})},
      {"error", encode(wire::Broken{{Errc::Protocol, "endpoint: not one part"}})},
      {"bye", encode(wire::Bye{{Errc::Closed, "client: closed"}})},
      {"publish", wire::encode_publish(9, batch.events())},
      {"published", encode(sample_answer())},
      {"open", encode(sample_open())},
      {"open-ephemeral", encode(wire::Open{8, {.filters = {"a/b"}}})},
      {"opened", encode(wire::OpenAnswer{7, at(1'764'000'000'000'000)})},
      {"change", encode(wire::Change{7, {"plant/1/#"}, "{}"})},
      {"changed", encode(wire::ChangeAnswer{7, {}})},
      {"changed-refused", encode(wire::ChangeAnswer{7, tl::unexpected(taken)})},
      {"settle-ack", wire::encode_settle(7, positions, Settle::Ack, {})},
      {"settle-nack",
       wire::encode_settle(7, std::span(positions).first(1), Settle::Nack, Duration(250'000))},
      {"deliver", wire::encode_deliver(7, 2, batch.events(), both)},
      {"gap", encode(wire::GapNotice{7, {3, 10, 40, "retention"}})},
      {"close", encode(wire::Close{7})},
      {"ended", encode(wire::EndNotice{7, taken})},
      {"remove", encode(wire::Remove{4, "billing"})},
      {"removed", encode(wire::RemoveAnswer{4, {}})},
      {"consumers", encode(wire::AskConsumers{5})},
      {"consumer-list", encode(sample_consumers())},
      {"status", encode(wire::AskStatus{6})},
      {"status-text", encode(wire::StatusText{6, "{\"node\":{}}"})},
      {"log", encode(wire::AskLog{8, 3})},
      {"log-name", encode(wire::LogName{8, {"ab12", "4-9f", "events"}})},
      {"failed", encode(wire::Failed{8, {Errc::NotFound, "endpoint: no log 3"}})},
      {"await", encode(wire::Await{9, "replicated:2", std::chrono::seconds(30), {{3, 42}}})},
      {"await-route", encode(wire::Await{10, "delivered:cloud", {}, {}})},
      {"awaited", encode(wire::Awaited{9, true})},
      {"log-is", encode(wire::LogIs{3, {"ab12", "4-9f", "events"}})},
  };
}

// Encodes what was decoded.
inline std::string encode_again(const wire::Frame& frame) {
  return std::visit(
      [](const auto& one) -> std::string {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, wire::Publish>) {
          return wire::encode_publish(one.number, one.batch->events());
        } else if constexpr (std::is_same_v<Kind, wire::Deliver>) {
          std::vector<std::uint32_t> all;
          for (std::uint32_t i = 0; i < one.batch->size(); ++i) all.push_back(i);
          return wire::encode_deliver(one.id, one.attempt, one.batch->events(), all);
        } else if constexpr (std::is_same_v<Kind, wire::Settlement>) {
          return wire::encode_settle(one.id, one.positions, one.how, one.delay);
        } else if constexpr (requires { encode(one); }) {
          return encode(one);
        } else {
          return {};
        }
      },
      frame);
}

}  // namespace marram::test
