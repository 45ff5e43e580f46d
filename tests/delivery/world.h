// A node around one Consumer, without threads: logs on a "disk", a tail, a member
// that holds what it was handed, and the rules that every hand-out must keep.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/delivery/consumer.h"
#include "core/delivery/tail.h"
#include "core/event/topic.h"

namespace marram::test {

using namespace std::chrono_literals;

struct Stored {
  std::string topic;
  std::string key;
  WallTime recorded{};
  WallTime expires{};
  bool must = false;  // a filter that stays matches it
  int handed = 0;
  TimePoint handed_at{};
  bool in_hand = false;
  bool settled = false;
  bool gone = false;  // expired, trimmed or before the start
};

class World {
 public:
  explicit World(Consumer::Options options, std::size_t tail_bytes = 1 << 20)
      : options_(std::move(options)), always_(options_.filters), tail_(tail_bytes) {}

  Now now{TimePoint(1000s), WallTime(1'700'000'000s)};
  LogTable logs;
  std::unique_ptr<Consumer> consumer;
  std::map<std::uint32_t, std::vector<Stored>> disk;  // seq 1 is [0]
  std::vector<std::string> broken;                    // rules, as sentences
  std::vector<Gap> gaps;
  std::vector<ReadLog> reads;
  std::vector<FindTime> times;
  std::map<std::uint32_t, std::uint64_t> asked_cursors, cursors;  // to be saved; saved
  Consumer::Member member{};
  std::string told;  // what was handed out: "1/1 1/2 1/1*2", the attempt behind '*'

  void open_log(std::uint32_t no, const std::string& epoch, const std::string& stream = "events") {
    KnownLog log;
    log.no = no;
    log.id = {"node", epoch, stream};
    log.open = true;
    for (const auto& [other, known] : logs.all()) {
      if (known.id.stream == stream) logs.find(other)->open = false;
    }
    const KnownLog& known = logs.add(log);
    disk[no];
    if (consumer) consumer->on_log_opened(known);
  }

  void make() {
    consumer = std::make_unique<Consumer>(options_, logs);
    for (const auto& [log, begin] : consumer->begins()) {
      cursors[log] = begin;
      for (std::uint64_t seq = 1; seq <= begin; ++seq) at(Position(log, seq)).gone = true;
    }
  }
  // The process died and came back; what it had not saved is forgotten.
  void restart() {
    std::size_t again = 0;
    for (auto& [no, events] : disk) {
      for (std::size_t i = 0; i < events.size(); ++i) {
        Stored& event = events[i];
        if (i >= cursors[no]) {
          if (event.in_hand || event.settled) ++again;
          event.settled = false;
        }
        event.in_hand = false;
        event.handed = 0;
      }
      logs.find(no)->head = events.size();
      logs.find(no)->open = false;
    }
    rule(again <= member.in_flight_max, "at most a window of events comes again after a crash");
    reads.clear();
    asked_cursors.clear();
    untold_.clear();
    tail_.clear();
    options_.filters = consumer->filters().filters();
    consumer = std::make_unique<Consumer>(options_, logs, cursors);
  }
  void attach(std::size_t window, Duration ack_wait = 0s, std::size_t bytes = 8 << 20) {
    member = {window, bytes, ack_wait};
    consumer->attach(member);
  }
  void detach() {
    consumer->detach();
    for (auto& [no, events] : disk) {
      for (Stored& event : events) event.in_hand = false;
    }
  }

  // Stores events "topic" or "topic=key"; they are told with tell().
  void store(std::uint32_t log, const std::vector<std::string>& events, Duration lives = 0s) {
    now.wall += 1ms;
    auto batch = std::make_unique<EventBatch>();
    for (const std::string& text : events) {
      const auto equals = text.find('=');
      Stored stored;
      stored.topic = text.substr(0, equals);
      if (equals != std::string::npos) stored.key = text.substr(equals + 1);
      stored.recorded = now.wall;
      if (lives > 0s) stored.expires = now.wall + lives;
      stored.must = always_matches(stored.topic);
      disk[log].push_back(stored);
      add(*batch, log, disk[log].size());
    }
    untold_.push_back(std::move(batch));
  }
  // The loop hears of the oldest commit that it does not know yet.
  void tell(bool lost = false) {
    if (untold_.empty()) return;
    const EventBatchPtr batch = std::move(untold_.front());
    untold_.erase(untold_.begin());
    ranges_of(*batch, ranges_);
    for (const LogRange& range : ranges_) {
      if (lost) consumer->on_missed(range.log, logs.find(range.log)->head);
      logs.find(range.log)->head = range.last;
    }
    last_recorded_ = batch->events().front().recorded;
    if (lost) return tail_.clear();
    tail_.push(batch, ranges_);
    std::vector<std::uint32_t> indices;
    for (std::uint32_t i = 0; i < batch->size(); ++i) {
      const EventView& event = batch->events()[i];
      if (consumer->filters().match(event.topic, event.recorded)) indices.push_back(i);
    }
    Actions out;
    if (!indices.empty()) consumer->on_batch(batch, indices, now, out);
    act(out);
  }
  void commit(std::uint32_t log, const std::vector<std::string>& events) {
    store(log, events);
    while (!untold_.empty()) tell();
  }

  void tick() {
    for (auto& [no, events] : disk) {
      for (std::size_t i = 0; i < events.size(); ++i) {
        const Stored& event = events[i];
        if (event.in_hand && member.ack_wait > 0s &&
            event.handed_at + member.ack_wait <= now.steady) {
          go_back(Position(no, i + 1));
        }
      }
    }
    Actions out;
    consumer->on_tick(now, out);
    act(out);
  }
  // Answers the oldest read, from the tail or the disk.
  void answer(bool from_tail = true) {
    if (reads.empty()) return;
    const ReadLog read = reads.front();
    reads.erase(reads.begin());
    Stretch stretch{read.log, read.after, 0, nullptr, {}, false};
    if (const auto part = tail_.find(read.log, read.after + 1); part && from_tail) {
      stretch.batch = part->batch;
      stretch.upto = part->upto;
    } else {
      read_disk(read, stretch);
    }
    Actions out;
    consumer->on_stretch(stretch, now, out);
    act(out);
  }
  // Until nothing more comes by itself.
  void settle_down() {
    do {
      tick();
      while (!reads.empty()) {
        answer();
        tick();
      }
      save();
      tick();
    } while (!reads.empty());
  }
  void advance(Duration by) {
    const TimePoint end = now.steady + by;
    while (const auto wake = consumer->wake_at()) {
      if (*wake > end) break;
      now.wall += *wake - now.steady;
      now.steady = std::max(now.steady, *wake);
      settle_down();
    }
    now.wall += end - now.steady;
    now.steady = end;
    settle_down();
  }

  void ack(const std::vector<Position>& positions) {
    for (const Position position : positions) {
      at(position).in_hand = false;
      at(position).settled = true;
    }
    consumer->settle(positions, Settle::Ack, 0s, now.steady);
  }
  void ack(std::uint32_t log, std::uint64_t seq) { ack({Position(log, seq)}); }
  void nack(std::uint32_t log, std::uint64_t seq, Duration delay) {
    const Position position(log, seq);
    go_back(position);
    consumer->settle({&position, 1}, Settle::Nack, delay, now.steady);
  }
  void save() {
    for (const auto& [log, upto] : asked_cursors) {
      cursors[log] = upto;
      consumer->on_saved(log, upto);
    }
    asked_cursors.clear();
  }
  void save_idle() {
    Actions out;
    consumer->save_idle(out);
    act(out);
  }
  void set_extra(bool wanted) {
    std::vector<std::string> filters;
    for (const FilterRecord& filter : always_) filters.push_back(filter.filter);
    if (wanted) filters.push_back("extra/#");
    if (wanted && !extra_) extra_after_ = last_recorded_;
    extra_ = wanted;
    consumer->set_filters(consumer->filters().replaced_by(filters, last_recorded_));
  }

  std::vector<Position> in_hand() const {
    std::vector<Position> out;
    for (const auto& [no, events] : disk) {
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].in_hand) out.push_back(Position(no, i + 1));
      }
    }
    return out;
  }
  bool untold() const { return !untold_.empty(); }
  std::string take_told() {
    std::string out = std::exchange(told, {});
    if (!out.empty()) out.pop_back();
    return out;
  }
  Stored& at(Position position) { return disk.at(position.log()).at(position.seq() - 1); }
  // Events up to `first - 1` are gone from the disk.
  void trim(std::uint32_t log, std::uint64_t first) {
    firsts_[log] = first;
    logs.find(log)->first = first;
    tail_.cut(log, first - 1);
    for (std::uint64_t seq = 1; seq < first; ++seq) at(Position(log, seq)).gone = true;
  }

 private:
  bool always_matches(const std::string& topic) const {
    return std::any_of(always_.begin(), always_.end(),
                       [&](const FilterRecord& filter) { return matches(filter.filter, topic); });
  }
  void add(EventBatch& batch, std::uint32_t log, std::uint64_t seq) {
    const Stored& stored = disk[log][seq - 1];
    EventView view;
    view.topic = stored.topic;
    view.key = stored.key;
    view.expires = stored.expires;
    EventView& event = batch.add(view, now.wall, ids_);
    event.position = Position(log, seq);
    event.recorded = stored.recorded;
  }
  void read_disk(const ReadLog& read, Stretch& stretch) {
    auto batch = std::make_unique<EventBatch>();
    const auto& events = disk[read.log];
    stretch.filtered = true;
    stretch.upto = std::min<std::uint64_t>(events.size(), read.after + 40);  // rows looked at
    const std::uint64_t first = firsts_.contains(read.log) ? firsts_[read.log] : 1;
    if (read.after + 1 < first) {
      stretch.gaps.push_back({read.log, read.after + 1, first - 1, "drop_oldest"});
    }
    for (std::uint64_t seq = std::max(first, read.after + 1); seq <= stretch.upto; ++seq) {
      const Stored& stored = events[seq - 1];
      if (!consumer->filters().match(stored.topic, stored.recorded)) continue;
      add(*batch, read.log, seq);
      if (batch->size() == read.events_max) stretch.upto = seq;
    }
    stretch.batch = std::move(batch);
  }

  void act(Actions& actions) {
    for (Action& action : actions) {
      if (auto* deliver = std::get_if<Deliver>(&action)) {
        for (const std::uint32_t index : deliver->indices) {
          hand(deliver->batch->events()[index], deliver->attempt);
        }
      } else if (auto* skip = std::get_if<SkipGap>(&action)) {
        gaps.push_back(skip->gap);
      } else if (auto* read = std::get_if<ReadLog>(&action)) {
        for (const ReadLog& other : reads) rule(other.log != read->log, "one read a log at a time");
        reads.push_back(*read);
      } else if (auto* find = std::get_if<FindTime>(&action)) {
        times.push_back(*find);
      } else if (auto* save = std::get_if<SaveCursor>(&action)) {
        check_cursor(*save);
      }
    }
  }
  void hand(const EventView& view, std::uint32_t attempt) {
    Stored& event = at(view.position);
    told += std::to_string(view.position.log()) + "/" + std::to_string(view.position.seq()) +
            (attempt > 1 ? "*" + std::to_string(attempt) : "") + " ";
    const bool extra = matches("extra/#", view.topic) && view.recorded > extra_after_;
    rule(event.must || extra, "only what matches is handed out");
    rule(!event.settled, "what is settled does not come again");
    rule(!event.in_hand, "what is in hand does not come again");
    rule(attempt > 1 || event.handed == 0, "the attempt tells what was handed out before");
    if (event.must) check_order(view.position);
    ++event.handed;
    event.handed_at = now.steady;
    event.in_hand = true;
    rule(in_hand().size() <= member.in_flight_max, "never more than the window is in hand");
  }
  void check_order(Position position) {
    const Stored& event = at(position);
    const std::string& stream = logs.find(position.log())->id.stream;
    for (const auto& [no, events] : disk) {
      if (logs.find(no)->id.stream != stream) continue;
      for (std::size_t i = 0; i < events.size(); ++i) {
        const Stored& other = events[i];
        const Position where(no, i + 1);
        if (where == position || !other.must || key(other) != key(event)) continue;
        if (where < position) {
          rule(other.settled || other.in_hand || other.gone || expired(other),
               "earlier events of a key come first");
        } else {
          rule(!other.in_hand, "no later event of the key is in hand");
        }
      }
    }
  }
  void check_cursor(const SaveCursor& save) {
    std::uint64_t& last = asked_cursors[save.log];
    rule(save.upto > std::max(last, cursors[save.log]), "a cursor only moves on");
    rule(save.upto <= disk[save.log].size(), "a cursor stays within its log");
    for (std::uint64_t seq = 1; seq <= save.upto; ++seq) {
      const Stored& event = at(Position(save.log, seq));
      rule(!event.must || event.settled || event.gone || expired(event),
           "a cursor is never ahead of what is unsettled");
    }
    last = save.upto;
  }
  void go_back(Position position) {
    Stored& event = at(position);
    const std::string& stream = logs.find(position.log())->id.stream;
    for (auto& [no, events] : disk) {
      if (logs.find(no)->id.stream != stream) continue;
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (Position(no, i + 1) >= position && key(events[i]) == key(event)) {
          events[i].in_hand = false;
        }
      }
    }
  }
  bool expired(const Stored& event) const {
    return event.expires != WallTime() && event.expires <= now.wall;
  }
  static const std::string& key(const Stored& event) {
    return event.key.empty() ? event.topic : event.key;
  }
  void rule(bool holds, const char* sentence) {
    if (!holds) broken.emplace_back(sentence);
  }

  Consumer::Options options_;
  std::vector<FilterRecord> always_;
  Tail tail_;
  UuidMaker ids_;
  std::vector<std::unique_ptr<EventBatch>> untold_;
  std::vector<LogRange> ranges_;
  std::map<std::uint32_t, std::uint64_t> firsts_;
  WallTime last_recorded_{};
  bool extra_ = false;  // whether "extra/#" is among the filters, and since when
  WallTime extra_after_ = WallTime::max();
};

}  // namespace marram::test
