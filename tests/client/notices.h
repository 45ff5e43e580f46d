// What the client's offline tests share: a listener that keeps notices, batches,
// and frames as words: "PUBLISH#1x2" is number 1 with two events.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/assert.h"
#include "core/event/bus.h"
#include "core/wire/decode.h"
#include "core/wire/encode.h"

namespace marram::test {

class Notices : public Listener {
 public:
  void notify(Notice notice) override { all_.push_back(std::move(notice)); }

  template <class Kind>
  std::vector<Kind> of() const {
    std::vector<Kind> found;
    for (const Notice& notice : all_) {
      if (const auto* one = std::get_if<Kind>(&notice)) found.push_back(*one);
    }
    return found;
  }
  // "1/41 1/42*2": log/seq of what was delivered, with the attempt where it is not 1.
  std::string delivered() const {
    std::string out;
    for (const Delivered& one : of<Delivered>()) {
      for (const std::uint32_t index : one.indices) {
        const Position at = one.batch->events()[index].position;
        out += fmt::format("{}{}/{}", out.empty() ? "" : " ", at.log(), at.seq());
        if (one.attempt != 1) out += fmt::format("*{}", one.attempt);
      }
    }
    return out;
  }
  void clear() { all_.clear(); }

 private:
  std::vector<Notice> all_;
};

inline std::unique_ptr<EventBatch> batch_of(std::size_t events, std::size_t payload = 10) {
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  const Event event{.topic = "a/b", .payload = std::string(payload, 'x')};
  for (std::size_t i = 0; i < events; ++i) batch->add(event, "", WallTime(Duration(5)), ids);
  return batch;
}

inline wire::Frame frame_of(const std::string& bytes) {
  wire::Decoder decoder{Limits{}};
  auto frame = decoder.decode(bytes, {});
  MARRAM_ASSERT(frame.has_value(), "what we encode can be decoded");
  return std::move(*frame);
}

inline wire::Publish publish_of(const std::string& bytes) {
  return std::get<wire::Publish>(frame_of(bytes));
}

inline std::string word(const std::string& bytes) {
  const wire::Frame frame = frame_of(bytes);
  if (const auto* f = std::get_if<wire::Publish>(&frame)) {
    return fmt::format("PUBLISH#{}x{}", f->number, f->batch->size());
  }
  if (const auto* f = std::get_if<wire::Open>(&frame)) {
    const auto& start = f->options.start;
    const bool by_time = start && start->at == Start::At::Time;
    return fmt::format("OPEN#{}{}", f->id,
                       by_time ? fmt::format("@{}", start->time.time_since_epoch().count()) : "");
  }
  if (const auto* f = std::get_if<wire::Settlement>(&frame)) {
    return fmt::format("{}#{}x{}", f->how == Settle::Ack ? "ACK" : "NACK", f->id,
                       f->positions.size());
  }
  if (const auto* f = std::get_if<wire::Change>(&frame)) return fmt::format("CHANGE#{}", f->id);
  if (const auto* f = std::get_if<wire::Close>(&frame)) return fmt::format("CLOSE#{}", f->id);
  if (std::holds_alternative<wire::Hello>(frame)) return "HELLO";
  if (std::holds_alternative<wire::Ping>(frame)) return "PING";
  if (const auto* f = std::get_if<wire::Pong>(&frame)) return fmt::format("PONG#{}", f->number);
  if (std::holds_alternative<wire::Bye>(frame)) return "BYE";
  if (std::holds_alternative<wire::AskStatus>(frame)) return "STATUS";
  if (std::holds_alternative<wire::AskConsumers>(frame)) return "CONSUMERS";
  if (std::holds_alternative<wire::Remove>(frame)) return "REMOVE";
  if (std::holds_alternative<wire::Await>(frame)) return "AWAIT";
  if (const auto* f = std::get_if<wire::AskLog>(&frame)) return fmt::format("LOG#{}", f->log);
  return fmt::format("verb {}", static_cast<int>(bytes[1]));
}

inline std::string words(const std::vector<std::string>& frames) {
  std::string out;
  for (const std::string& frame : frames) out += (out.empty() ? "" : " ") + word(frame);
  return out;
}

}  // namespace marram::test
