// One frame of every verb of a link, with fixed values; the golden vectors are these.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/wire/link_codec.h"
#include "tests/wire/sample_frames.h"

namespace marram::test {

inline constexpr const char* kNodeA = "6f1d0c3a5b7e9f2468ace13579bdf024";
inline constexpr const char* kNodeB = "b2a4c6e8f0123456789abcdef0123456";
inline constexpr const char* kUuid = "0192f1a4-0000-7000-8000-000000000001";

inline LogId sample_log() { return {kNodeA, "17-9f3ac1", "alarms"}; }

inline wire::LinkHello sample_link_hello() {
  wire::LinkHello hello;
  hello.name = "gw-3";
  hello.instance = "c0ffee";
  hello.silent_after = std::chrono::seconds(15);
  hello.node_id = kNodeA;
  hello.window_bytes = 4 << 20;
  hello.event_bytes_max = 8'424'352;
  hello.addresses = {"tcp://10.0.0.3:7400"};
  return hello;
}

inline wire::MapRecord sample_record() {
  wire::MapRecord record;
  record.node_id = kNodeA;
  record.number = 312;
  record.instance = "c0ffee";
  record.name = "gw-3";
  record.clock_suspect = true;
  record.neighbours = {{kNodeB, 10}};
  record.open = {{"17-9f3ac1", "alarms", {"plant/+/alarm/#"}, Durability::Fsync, Priority::High},
                 {"17-9f3ac1", "events", {}, Durability::Os, Priority::Normal}};
  record.misses = true;
  record.copies = {{{kNodeB, "4-00e1b2", "events"}, 31, 80}};
  return record;
}

inline wire::Want sample_want() {
  wire::Want want;
  want.number = 12;
  want.log = sample_log();
  want.standing = true;
  want.from = {.seq = 42};
  want.id = kUuid;
  want.owed = 42;
  return want;
}

inline wire::Want sample_backfill() {
  wire::Want want = sample_want();
  want.number = 13;
  want.kind = wire::WantKind::Backfill;
  want.standing = false;
  want.all = false;
  want.filters = {"plant/1/#"};
  want.from = {.at = wire::Begin::At::Time, .time = at(1'764'000'000'000'000)};
  want.to = 41;
  want.id = "";
  want.owed = 0;
  return want;
}

inline wire::Want sample_head_want() {
  wire::Want want = sample_want();
  want.number = 14;
  want.from = {.at = wire::Begin::At::Head};
  want.id = "";
  want.owed = 40;
  return want;
}

inline wire::Data sample_data() {
  wire::Data data;
  data.want = 12;
  data.after = 40;
  data.upto = 44;
  data.batch = std::make_unique<EventBatch>(sample_batch());  // 41 and 42
  return data;
}

inline wire::Part sample_part() { return {12, 44, 45, 65'536, 65'540, "tail"}; }

inline std::vector<std::pair<std::string, wire::LinkFrame>> sample_link_values() {
  std::vector<std::pair<std::string, wire::LinkFrame>> out;
  const auto add = [&](std::string name, wire::LinkFrame frame) {
    out.emplace_back(std::move(name), std::move(frame));
  };
  const LogId events{kNodeA, "17-9f3ac1", "events"};
  const wire::PeerRecord hub{kNodeB,
                             "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
                             {"tcp://hub.example:7400", "tcp://[2001:db8::1]:7400"},
                             std::chrono::seconds(90)};
  add("hello", sample_link_hello());
  add("ping", wire::Ping{7});
  add("pong", wire::Pong{7});
  add("error", wire::Broken{{Errc::Protocol, "mesh: not one part"}});
  add("bye", wire::Bye{{Errc::Closed, "mesh: the node stops"}});
  add("peers", wire::Peers{{hub, {kNodeA, "", {}, {}}}});
  add("state-known", wire::State{{{kNodeA, 312}, {kNodeB, 7}}, {}});
  add("state-record", wire::State{{}, {sample_record()}});
  add("have", wire::Have{{{sample_log(), 1, 42, "order-7"}, {events, 9, 40, kUuid}}});
  add("have-nothing", wire::Have{{{events, 41, 40, ""}}});
  add("held", wire::Held{"alarms", {{sample_log(), 40}}});
  add("held-stream", wire::Held{"events", {}});
  add("want", sample_want());
  add("want-backfill", sample_backfill());
  add("want-head", sample_head_want());
  add("stop", wire::Stop{12});
  add("release", wire::Release{"alarms", {sample_log()}});
  add("release-stream", wire::Release{"events", {}});
  add("expect", wire::Expect{{"plant/+/alarm/#", "plant/1/state"}, {"alarms"}});
  add("data", sample_data());
  add("upto", wire::Upto{12, 44, 50});
  add("upto-head", wire::Upto{14, 50, 50});
  add("gap", wire::LinkGap{12, 45, 47, "retention"});
  add("part", sample_part());
  add("ack", wire::Ack{{{sample_log(), 42, 42}, {events, 40, 0}}});
  add("credit", wire::Credit{std::uint64_t{5} << 20});
  return out;
}

inline std::vector<std::pair<std::string, std::string>> sample_link_frames() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, frame] : sample_link_values()) {
    out.emplace_back(name, wire::encode_link(frame));
  }
  return out;
}

}  // namespace marram::test
