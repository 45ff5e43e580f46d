// A session that hears anything, in any order: packets from the client, answers
// that the node may give, and time.  It must neither fall over nor speak
// malformed packets, and never acknowledge what was not stored.
#include <cstdint>
#include <cstdlib>
#include <deque>

#include "gateway/mqtt/session.h"

namespace marram::mqtt {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

class Driver {
 public:
  Driver() : session_(rules_, "auto-1", TimePoint()) {
    rules_.mqtt.receive_maximum = 8;
    rules_.mqtt.in_flight_max = 16;
    rules_.limits.filters_per_consumer_max = 8;
    out_.events = &events_;
    out_.ids = &ids_;
    out_.tally = &tally_;
  }

  void run(std::string_view input) {
    while (!input.empty() && !session_.over()) {
      const auto op = static_cast<unsigned char>(input[0]);
      input.remove_prefix(1);
      step(op, input);
      carry_out();
    }
  }

 private:
  void step(unsigned char op, std::string_view& input) {
    switch (op % 10) {
      case 0:
        return hear(input, op / 10 + 1);
      case 1:
        return answer(op < 200 ? Reason::Success : Reason::QuotaExceeded);
      case 2:
        return deliver(input, op);
      case 3:
        return session_.on_sent(out_);
      case 4:
        return tick(op);
      case 5:
        if (asked_) session_.on_changed(op < 200 ? Status() : fail(Errc::Full, ""), out_);
        asked_ = false;
        return;
      case 6:
        if (op > 240) session_.on_ended({op > 250 ? Errc::Busy : Errc::Closed, ""}, out_);
        return;
      case 7:
        if (op > 250) session_.on_taken_over(out_);
        return;
      default:
        return hear(input, input.size());
    }
  }

  void hear(std::string_view& input, std::size_t count) {
    received_.append(input.substr(0, count));
    input.remove_prefix(std::min(count, input.size()));
    std::string_view rest = received_;
    Frame frame;
    while (session_.takes_packets()) {
      const FrameState state = read_frame(rest, session_.packet_bytes_max(), frame);
      if (state == FrameState::Partial) break;
      if (state != FrameState::Ready) return session_.on_bad_frame(Reason::MalformedPacket, out_);
      session_.on_frame(frame, {now_, WallTime()}, out_);
      rest.remove_prefix(frame.bytes);
    }
    received_.erase(0, received_.size() - rest.size());
  }

  void answer(Reason reason) {
    if (with_store_.empty()) return;
    const std::uint16_t id = with_store_.front();
    with_store_.pop_front();
    if (id != 0) ++answered_;
    session_.on_stored({&id, 1}, reason, out_);
  }

  void deliver(std::string_view& input, unsigned char op) {
    if (!open_ || handed_out_ >= 16) return;
    const std::size_t size = std::min<std::size_t>(op, input.size());
    auto batch = std::make_shared<EventBatch>();
    EventView event;
    event.topic = op % 3 == 0 ? "a/b" : "c";
    event.payload = input.substr(0, size);
    event.headers = input.substr(0, op % 32);
    event.client = op % 2 == 0 ? "c1" : "other";
    batch->add(event, WallTime(), ids_);
    batch->events()[0].position = Position(1, ++seq_);
    ++handed_out_;
    session_.on_delivered({1, batch, {0}, op % 5 == 0 ? 2U : 1U}, WallTime(), out_);
  }

  void tick(unsigned char op) {
    now_ += std::chrono::seconds(op);
    session_.on_tick(now_, out_);
    if (const auto at = session_.wake_at()) must(*at > now_);
  }

  void carry_out() {
    for (const std::uint16_t id : out_.packet_ids) with_store_.push_back(id);
    out_.packet_ids.clear();
    must(out_.settled.size() <= handed_out_);
    handed_out_ -= out_.settled.size();
    out_.settled.clear();
    check_bytes();
    const std::vector<Command> commands = std::exchange(out_.commands, {});
    for (const Command& command : commands) {
      must(!closed_);
      std::visit([&](const auto& what) { act(what); }, command);
    }
  }

  // All that it says is packets, and PUBACKs with success only for what was stored.
  void check_bytes() {
    std::string_view rest = out_.bytes;
    Frame frame;
    while (!rest.empty()) {
      must(read_frame(rest, kVarintMax + 5, frame) == FrameState::Ready);
      if (frame.type == PacketType::Publish) {
        Publish packet;
        must(decode(frame, session_.version(), packet) == Reason::Success);
      } else if (frame.type == PacketType::PubAck) {
        Ack packet;
        must(decode(frame, session_.version(), packet) == Reason::Success);
        if (!is_error(packet.reason)) must(answered_-- > 0);
      }
      rest.remove_prefix(frame.bytes);
    }
    out_.bytes.clear();
  }

  void act(const Authenticate&) { session_.on_authenticated(everything(), Reason::Success, out_); }
  void act(const Claim& claim) {
    std::optional<StoredSession> stored;
    if (!claim.clean_start) stored = StoredSession{60, {{"a/#", {.qos = 1}}}};
    session_.on_claimed(std::move(stored), out_);
    carry_out();
  }
  void act(const Open& open) {
    must(!open.options.filters.empty());
    open_ = true;
    session_.on_opened(out_);
    carry_out();
  }
  void act(const Change&) { asked_ = true; }
  void act(const Leave&) { open_ = false; }
  void act(const Close&) { closed_ = true; }

  SessionRules rules_;
  EventBatch events_;
  UuidMaker ids_;
  Tally tally_;
  Actions out_;
  Session session_;
  TimePoint now_{};
  std::string received_;
  std::deque<std::uint16_t> with_store_;
  int answered_ = 0;
  std::size_t handed_out_ = 0;
  std::uint64_t seq_ = 0;
  bool open_ = false;
  bool asked_ = false;
  bool closed_ = false;
};

}  // namespace
}  // namespace marram::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  marram::mqtt::Driver().run({reinterpret_cast<const char*>(data), size});
  return 0;
}
