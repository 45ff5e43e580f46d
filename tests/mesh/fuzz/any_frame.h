// Frames of a link, made from bytes: shaped right, and meaning anything.
//
// Names, logs and numbers are few, so that what is said meets what is there.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/wire/link_frames.h"

namespace marram::mesh {

// What is left of an input; zeros behind its end.
class Bytes {
 public:
  explicit Bytes(std::string_view rest) : rest_(rest) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  bool flag() { return byte() % 2 != 0; }
  // Mostly a small one.
  std::uint64_t number() {
    constexpr std::array<std::uint64_t, 4> kEdges{wire::kSeqMax, wire::kSeqMax - 1, 1 << 20, 4096};
    const std::uint8_t byte = this->byte();
    return byte < 252 ? byte : kEdges[byte - 252];
  }
  template <std::size_t N>
  std::string one_of(const std::array<const char*, N>& names) {
    return names[byte() % N];
  }
  template <class Make>
  auto some(Make make) {
    std::vector<decltype(make())> made;
    for (auto n = byte() % 4; n > 0; --n) made.push_back(make());
    return made;
  }

 private:
  std::string_view rest_;
};

class AnyFrame {
 public:
  explicit AnyFrame(Bytes& bytes) : in_(bytes) {}

  wire::LinkFrame make() {
    switch (in_.byte() % 17) {
      case 0:
        return wire::Peers{in_.some([&] { return peer(); })};
      case 1:
      case 2:
        return wire::State{in_.some([&] { return wire::KnownRecord{node(), in_.number()}; }),
                           in_.some([&] { return record(); })};
      case 3:
        return wire::Have{
            in_.some([&] { return wire::HaveEntry{log(), in_.number(), in_.number(), id()}; })};
      case 4:
        return wire::Held{stream(), in_.some([&] { return wire::HeldEntry{log(), in_.number()}; })};
      case 5:
      case 6:
        return want();
      case 7:
        return wire::Stop{in_.number()};
      case 8:
        return wire::Release{stream(), in_.some([&] { return log(); })};
      case 9:
      case 10:
        return data(in_.number(), in_.number(), in_.number());
      case 11:
        return wire::Upto{in_.number(), in_.number(), in_.number()};
      case 12:
        return wire::LinkGap{in_.number(), in_.number(), in_.number(), reason()};
      case 13:
        return part(in_.number(), in_.number(), in_.number());
      case 14:
        return wire::Ack{
            in_.some([&] { return wire::AckEntry{log(), in_.number(), in_.number()}; })};
      case 15:
        return wire::Expect{in_.some([&] { return filter(); }), in_.some([&] { return stream(); })};
      default:
        return other();
    }
  }
  // What answers a want, and goes on where the answer before it ended.
  wire::LinkFrame make_answer(std::uint64_t want, std::uint64_t& after) {
    const std::uint64_t from = std::exchange(after, after + in_.byte() % 8);
    switch (in_.byte() % 4) {
      case 0:
        return wire::Upto{want, from, after};
      case 1:
        return wire::LinkGap{want, from + 1, std::exchange(after, from), reason()};
      case 2:
        return in_.flag() ? wire::LinkFrame(wire::Stop{want}) : part(want, from, after);
      default:
        return data(want, from, after);
    }
  }
  LogId log() { return {node(), epoch(), stream()}; }
  std::string stream() { return in_.one_of<3>({"events", "alarms", "more"}); }
  std::string filter() { return in_.one_of<4>({"#", "a/b", "a/+", "c"}); }
  wire::Begin begin() {
    return {wire::Begin::At{static_cast<std::uint8_t>(in_.byte() % 3)}, in_.number(),
            WallTime{std::chrono::seconds(in_.number())}};
  }

 private:
  std::string node() { return in_.one_of<5>({"node", "a", "b", "c", "d"}); }
  std::string epoch() { return in_.one_of<4>({"1-x", "2-y", "3-z", "no number"}); }
  std::string id() { return in_.one_of<3>({"", "i", "j"}); }
  std::string reason() { return in_.one_of<4>({"retention", "unclaimed", "lost", "what"}); }

  wire::PeerRecord peer() {
    return {node(),
            {},
            in_.some([&] { return "tcp://" + node() + ":1"; }),
            std::chrono::seconds(in_.number())};
  }
  wire::MapRecord record() {
    wire::MapRecord record;
    record.node_id = node();
    record.number = in_.number();
    record.instance = id();
    record.clock_suspect = in_.flag();
    record.misses = in_.flag();
    record.neighbours = in_.some(
        [&] { return wire::Neighbour{node(), static_cast<std::uint32_t>(in_.byte() + 1)}; });
    record.open = in_.some([&] {
      return wire::OpenLog{epoch(), stream(), in_.some([&] { return filter(); }),
                           in_.flag() ? Durability::Fsync : Durability::Memory,
                           in_.flag() ? Priority::High : Priority::Normal};
    });
    record.copies = in_.some([&] { return wire::CopyNote{log(), in_.number(), in_.number()}; });
    return record;
  }
  wire::Want want() {
    return {.number = in_.number(),
            .log = log(),
            .kind = wire::WantKind{static_cast<std::uint8_t>(in_.byte() % 3)},
            .standing = in_.flag(),
            .all = in_.flag(),
            .filters = in_.some([&] { return filter(); }),
            .from = begin(),
            .to = in_.number(),
            .id = id(),
            .owed = in_.number()};
  }
  wire::Part part(std::uint64_t want, std::uint64_t after, std::uint64_t upto) {
    return {want, after, upto, in_.number(), in_.number(), std::string(in_.byte(), 'p')};
  }
  wire::Data data(std::uint64_t want, std::uint64_t after, std::uint64_t upto) {
    wire::Data data{want, after, upto, std::make_unique<EventBatch>()};
    const std::uint64_t first = after + (in_.byte() + 1) % 4;
    UuidMaker ids;
    for (std::uint64_t i = 0, n = in_.byte() % 8; i < n; ++i) {
      EventView event;
      event.topic = in_.flag() ? "a/b" : "c";
      event.payload = "payload";
      event.recorded = WallTime{std::chrono::seconds(in_.number())};
      event.position = Position(0, (first + i) & wire::kSeqMax);
      data.batch->add(event, event.recorded, ids);
    }
    return data;
  }
  wire::LinkFrame other() {
    switch (in_.byte() % 5) {
      case 0:
        return wire::Credit{in_.number() << 12};
      case 1:
        return wire::Ping{in_.number()};
      case 2:
        return wire::Pong{in_.number()};
      case 3:
        return wire::Bye{};
      default:
        return wire::Unknown{};
    }
  }

  Bytes& in_;
};

}  // namespace marram::mesh
