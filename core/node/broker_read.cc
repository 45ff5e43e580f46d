#include <algorithm>
#include <utility>

#include "core/node/broker_body.h"

namespace marram {

namespace {

constexpr Duration kRetryAfter = std::chrono::seconds(1);

}  // namespace

bool Broker::Body::answer_from_memory(Slot& slot, const ReadLog& read, Actions& out) {
  Stretch stretch;
  stretch.log = read.log;
  stretch.after = read.after;
  if (slot.consumer->filters().filters().empty()) {
    stretch.upto = logs.find(read.log)->head;  // nothing matches
    stretch.filtered = true;
  } else if (auto part = tail.find(read.log, read.after + 1)) {
    stretch.batch = std::move(part->batch);
    stretch.upto = part->upto;
    if (!part->gap.empty()) {
      stretch.batch.reset();
      stretch.gaps.push_back({read.log, read.after + 1, part->upto, std::move(part->gap)});
    }
  } else {
    return false;
  }
  slot.consumer->on_stretch(stretch, now, out);
  if (!slot.questions.empty()) answer_questions(slot);
  return true;
}

void Broker::Body::ask_disk(const Read& read) {
  if (reads_out >= options.reads_max) {
    reads_waiting.push_back(read);
    return;
  }
  Slot* const slot = still(read.index, read.uid);
  if (slot == nullptr) return;
  ++reads_out;
  store.read({.log = read.read.log,
              .after = read.read.after,
              .filters = slot->consumer->filters().filters(),
              .events_max = read.read.events_max,
              .bytes_max = read.read.bytes_max},
             [this, read](Result<ReadResult> result) {
               post([this, read, result = std::move(result)]() mutable {
                 on_read(read, std::move(result));
               });
             });
}

void Broker::Body::on_read(const Read& read, Result<ReadResult> result) {
  --reads_out;
  tell_time();
  if (Slot* const slot = still(read.index, read.uid)) {
    Actions todo;
    if (result) {
      Stretch stretch{.log = read.read.log,
                      .after = read.read.after,
                      .upto = result->upto,
                      .batch = std::move(result->batch),
                      .gaps = std::move(result->gaps),
                      .filtered = true};
      leave_out_dropped(stretch, result->first);
      slot->consumer->on_stretch(stretch, now, todo);
    } else {
      if (result.error().code != Errc::Closed) log.error("broker", result.error().message);
      slot->consumer->on_read_failed(read.read.log, now.steady + kRetryAfter);
    }
    carry_out(*slot, todo);
    touch(*slot);
    answer_questions(*slot);
  }
  while (!reads_waiting.empty() && reads_out < options.reads_max) {
    const Read next = reads_waiting.front();
    reads_waiting.pop_front();
    ask_disk(next);
  }
}

// What went since the log, which began at `first` then, was read.
void Broker::Body::leave_out_dropped(Stretch& stretch, std::uint64_t first) const {
  const KnownLog* const known = logs.find(stretch.log);
  if (known == nullptr || known->dropped < first) return;
  const Gap gap{stretch.log, std::max(first, stretch.after + 1),
                std::min(known->dropped, stretch.upto), known->dropped_for};
  if (gap.from > gap.to) return;
  const auto place = std::find_if(stretch.gaps.begin(), stretch.gaps.end(),
                                  [&](const Gap& other) { return other.from >= gap.from; });
  stretch.gaps.insert(place, gap);
  stretch.gone = known->dropped;
}

void Broker::Body::find_time(Slot& slot, const FindTime& find) {
  store.find_time(
      find.log, find.time,
      [this, index = slot.index, uid = slot.uid, no = find.log](const Result<std::uint64_t>& seq) {
        post([this, index, uid, no, seq = seq.value_or(0)] {
          Slot* const found = still(index, uid);
          if (found == nullptr) return;
          found->consumer->on_time_found(no, seq);
          touch(*found);
          wish(*found);  // where it begins is known
        });
      });
}

void Broker::Body::answer_questions(Slot& slot) {
  for (const auto& question : std::exchange(slot.questions, {})) {
    if (--question->open == 0) question->answer();
  }
}

}  // namespace marram
