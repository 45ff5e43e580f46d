// A node that peers tell anything, in any order; readers come and go, its store takes writes or
// fails, time goes on.  It must not fall over, must say only what can be read, to whom it has not
// given up, and write only what a store can take.
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "core/base/assert.h"
#include "core/mesh/mesh.h"
#include "core/wire/link_codec.h"
#include "tests/mesh/fuzz/any_frame.h"

namespace marram::mesh {
namespace {

constexpr SessionId kSessionsMax = 16;

// What a store has of logs, as numbers.
class Logs {
 public:
  // The log's number.  Errors: Full  where the disk `fails`
  Result<std::uint32_t> write(const CopyWrite& write, bool fails) {
    std::uint32_t& no = numbers_[write.log.text()];
    const bool is_new = no == 0;
    if (is_new && fails) {
      numbers_.erase(write.log.text());
      return fail(Errc::Full, "");
    }
    if (is_new) make(no, write);
    One& log = logs_.at(no);
    check(log, write);
    if (fails) return fail(Errc::Full, "");
    if (write.begin_backfill) log.backfill = write.begin_backfill;
    if (write.backfill) {
      log.backfill->upto = write.upto;
      log.record.first = std::min(log.record.first, write.after + 1);
    } else {
      log.record.head = write.upto;
    }
    if (write.whole_from) log.record.whole_from = *write.whole_from;
    if (write.filters) log.record.filters = *write.filters;
    if (write.end_backfill) log.backfill.reset();
    return no;
  }
  const LogRecord& record(std::uint32_t no) const { return logs_.at(no).record; }
  const std::optional<BackfillRecord>& backfill(std::uint32_t no) const {
    return logs_.at(no).backfill;
  }
  LogRecord& open(const LogId& id) {
    std::uint32_t& no = numbers_[id.text()];
    no = ++last_;
    logs_[no].record = {.no = no, .id = id, .open = true};
    return logs_[no].record;
  }
  LogRecord& own(std::uint32_t no) { return logs_.at(no).record; }
  bool has(std::uint32_t no) const { return logs_.contains(no); }
  void forget(std::uint32_t no) {
    numbers_.erase(logs_.at(no).record.id.text());
    logs_.erase(no);
  }

 private:
  struct One {
    LogRecord record;
    std::optional<BackfillRecord> backfill;
  };

  void make(std::uint32_t& no, const CopyWrite& write) {
    no = ++last_;
    LogRecord& record = logs_[no].record;
    record = {.no = no, .id = write.log, .first = write.after + 1, .head = write.after};
    record.whole_from = record.first;
    record.durability = write.durability;
  }
  static void check(const One& log, const CopyWrite& write) {
    MARRAM_ASSERT(!log.record.open, "what this run writes is no copy");
    std::uint64_t stand = log.record.head;
    if (write.backfill) {
      const auto& backfill = write.begin_backfill ? write.begin_backfill : log.backfill;
      MARRAM_ASSERT(backfill.has_value(), "it was begun");
      MARRAM_ASSERT(backfill->from >= 1 && backfill->from <= backfill->to &&
                        backfill->to <= log.record.head && write.upto <= backfill->to,
                    "a backfill is below the head");
      stand = backfill->upto;
    }
    MARRAM_ASSERT(write.after == stand && write.after <= write.upto, "it goes on");
    std::uint64_t last = write.after;
    for (const Gap& gap : write.gaps) {
      MARRAM_ASSERT(gap.from > last && gap.from <= gap.to && gap.to <= write.upto, "gaps ascend");
      last = gap.to;
    }
    last = write.after;
    if (!write.events) return;
    for (const EventView& event : write.events->events()) {
      MARRAM_ASSERT(event.position.seq() > last && event.position.seq() <= write.upto,
                    "events ascend");
      last = event.position.seq();
    }
  }

  std::map<std::string, std::uint32_t> numbers_;
  std::map<std::uint32_t, One> logs_;
  std::uint32_t last_ = 0;
};

class Driver {
 public:
  explicit Driver(std::string_view input) : in_(input), any_(in_) {
    MeshOptions options{.node_id = "node", .instance = "1", .carry = {"more"}};
    options.wants_per_peer_max = 16;
    options.logs_max = 32;
    options.nodes_max = 16;
    mesh_.emplace(std::move(options), std::vector<LogRecord>(), MeshRecords(), now_);
    const LogRecord& log = logs_.open({"node", "2-y", "events"});
    own_ = log.no;
    mesh_->on_log_opened(log, now_, out_);
  }

  // Begins where a peer has a log that a reader here wants.
  void run() {
    mesh_->put_interest({2, "reader", true, {{"#", {}}}, {}}, now_, out_);
    interests_.insert(2);
    greet("a", "1", 1 << 20);
    wire::MapRecord origin;
    origin.node_id = "a";
    origin.number = 1;
    origin.open = {{"1-x", "events", {}, Durability::Fsync, Priority::Normal}};
    mesh_->on_frame(1, wire::State{{}, {std::move(origin)}}, now_, out_);
    carry_out();
    while (!in_.empty()) {
      step(in_.byte());
      carry_out();
      mesh_->on_tick(now_, out_);
      carry_out();
      (void)mesh_->wake_at();
    }
    (void)mesh_->status();
    (void)mesh_->map();
    mesh_->stop(now_, out_);
    carry_out();
  }

 private:
  struct Asked {
    SessionId session;
    std::uint64_t want;
    std::uint64_t after;
  };

  void step(std::uint8_t op) {
    switch (op % 16) {
      case 0:
        return connect();
      case 1:
        return disconnect();
      case 2:
        return read();
      case 3:
        return publish();
      case 4:
      case 5:
        now_.steady += std::chrono::milliseconds(op * 40);
        now_.wall += std::chrono::milliseconds(op * 40);
        return;
      case 6:
      case 7:
      case 8:
        return answer(op >= 224);
      default:
        return hear();
    }
  }

  void connect() {
    const std::string peer = in_.one_of<4>({"a", "b", "c", "node"});
    const std::string instance = in_.one_of<2>({"1", "2"});
    greet(peer, instance, in_.flag() ? 1 << 20 : 1000);
  }
  void greet(const std::string& peer, const std::string& instance, std::uint64_t window) {
    if (next_ > kSessionsMax) return;
    const SessionId id = next_++;
    sessions_.insert(id);
    mesh_->on_session_up({.id = id, .dialled = in_.flag(), .address = "address"}, now_, out_);
    wire::LinkHello hello;
    hello.node_id = hello.name = peer;
    hello.instance = instance;
    hello.silent_after = std::chrono::seconds(15);
    hello.window_bytes = window;
    hello.event_bytes_max = 1 << 20;
    mesh_->on_frame(id, std::move(hello), now_, out_);
  }
  SessionId session() {
    if (sessions_.empty()) return 0;
    auto i = sessions_.begin();
    std::advance(i, in_.byte() % sessions_.size());
    return *i;
  }
  void disconnect() {
    const SessionId id = session();
    if (sessions_.erase(id) == 0) return;
    mesh_->on_session_down(id, {Errc::Unreachable, "gone"}, now_, out_);
  }
  void hear() {
    if (asked_.empty() || in_.flag()) return hear(session(), any_.make());
    Asked& asked = asked_[in_.byte() % asked_.size()];
    hear(asked.session, any_.make_answer(asked.want, asked.after));
  }
  // Only what comes through the decoder comes at all.
  void hear(SessionId id, wire::LinkFrame frame) {
    if (!sessions_.contains(id) || std::holds_alternative<wire::Unknown>(frame)) return;
    auto read = decoder_.decode(wire::encode_link(frame));
    if (read) mesh_->on_frame(id, std::move(*read), now_, out_);
  }
  void read() {
    const std::uint64_t id = 1 + in_.byte() % 4;
    if (in_.flag()) {
      Interest interest{id, "reader", id % 2 == 0, {{any_.filter(), any_.begin()}}, {}};
      interests_.insert(id);
      return mesh_->put_interest(std::move(interest), now_, out_);
    }
    const auto log = static_cast<std::uint32_t>(1 + in_.byte() % 8);
    if (!interests_.contains(id)) return;
    if (in_.flag() && logs_.has(log)) {
      const std::uint64_t upto = std::min(in_.number(), logs_.record(log).head);
      return mesh_->move_cursor(id, log, upto, now_, out_);
    }
    interests_.erase(id);
    mesh_->drop_interest(id, now_, out_);
  }
  void publish() {
    LogRecord& log = logs_.own(own_);
    log.head += 1 + in_.byte() % 32;
    const Head head{own_, log.head, "i"};
    mesh_->on_committed({&head, 1}, now_, out_);
  }

  // The store does what it was asked for first.
  void answer(bool fails) {
    if (to_do_.empty()) return;
    Action action = std::move(to_do_.front());
    to_do_.pop_front();
    if (auto* const write = std::get_if<WriteCopy>(&action)) {
      answer(*write, fails);
    } else if (auto* const read = std::get_if<ReadEvents>(&action)) {
      answer(*read, fails);
    } else if (auto* const find = std::get_if<FindSeq>(&action)) {
      mesh_->on_time_found(find->token, in_.number(), now_, out_);
    } else if (auto* const put = std::get_if<PutHold>(&action)) {
      if (fails) mesh_->on_hold_not_saved(put->hold.peer, put->hold.stream, now_, out_);
    } else if (auto* const forget = std::get_if<ForgetLog>(&action)) {
      if (fails || !logs_.has(forget->log)) return;
      logs_.forget(forget->log);
      mesh_->on_log_forgotten(forget->log, now_, out_);
    }
  }
  void answer(const WriteCopy& action, bool fails) {
    // What follows a write that failed is not where the copy stands, and fails too.
    const std::string log = action.write.log.text();
    const bool follows = behind_failed_.contains(action.token);
    const auto no =
        follows ? Result<std::uint32_t>(fail(Errc::Invalid, "")) : logs_.write(action.write, fails);
    if (!no) {
      for (const Action& later : to_do_) {
        const auto* const write = std::get_if<WriteCopy>(&later);
        if (write != nullptr && write->write.log.text() == log) behind_failed_.insert(write->token);
      }
    }
    if (no) {
      mesh_->on_copied(logs_.record(*no), now_, out_);
      mesh_->on_backfilled(logs_.record(*no), logs_.backfill(*no), now_, out_);
    }
    mesh_->on_written(action.token, no, now_, out_);
  }
  void answer(const ReadEvents& action, bool fails) {
    if (fails || !logs_.has(action.log)) {
      return mesh_->on_read(action.token, fail(Errc::NotFound, ""), now_, out_);
    }
    const LogRecord& log = logs_.record(action.log);
    auto batch = std::make_shared<EventBatch>();
    UuidMaker ids;
    ReadResult result{.upto = std::max(action.after, log.head), .first = log.first};
    for (std::uint64_t seq = action.after + 1; seq <= log.head && batch->size() < 4; ++seq) {
      EventView event;
      event.topic = "a/b";
      event.position = Position(log.no, seq);
      batch->add(event, now_.wall, ids);
      result.upto = seq;
    }
    result.batch = std::move(batch);
    mesh_->on_read(action.token, std::move(result), now_, out_);
  }

  void carry_out() {
    MARRAM_ASSERT(out_.size() < 10'000, "what one step brings about has an end");
    for (Action& action : std::exchange(out_, {})) {
      if (auto* const up = std::get_if<HangUp>(&action)) {
        sessions_.erase(up->session);
      } else if (auto* const send = std::get_if<SendFrame>(&action)) {
        MARRAM_ASSERT(sessions_.contains(send->session), "nothing is said to who was given up");
        MARRAM_ASSERT(decoder_.decode(wire::encode_link(send->frame)).has_value(),
                      "what a node says can be read");
        if (const auto* const want = std::get_if<wire::Want>(&send->frame)) {
          asked_.push_back({send->session, want->number, want->from.seq - 1});
        }
      } else if (auto* const data = std::get_if<SendData>(&action)) {
        MARRAM_ASSERT(sessions_.contains(data->session), "nothing is sent to who was given up");
        MARRAM_ASSERT(data->after <= data->upto, "data goes on");
      } else if (auto* const dial = std::get_if<Dial>(&action)) {
        mesh_->on_dial_failed(dial->address, false, now_, out_);
      } else {
        to_do_.push_back(std::move(action));
      }
    }
  }

  Bytes in_;
  AnyFrame any_;
  wire::LinkDecoder decoder_{Limits{}};
  Now now_{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 56))};
  std::optional<Mesh> mesh_;
  Actions out_;
  std::vector<Asked> asked_;
  std::deque<Action> to_do_;  // of the store
  std::set<Token> behind_failed_;
  Logs logs_;
  std::uint32_t own_ = 0;  // log that this run writes
  std::set<std::uint64_t> interests_;
  std::set<SessionId> sessions_;
  SessionId next_ = 1;
};

}  // namespace
}  // namespace marram::mesh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  marram::mesh::Driver({reinterpret_cast<const char*>(data), size}).run();
  return 0;
}
