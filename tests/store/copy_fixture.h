// Stretches of a log that another node writes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/store/committer_fixture.h"

namespace marram::test {

inline LogId foreign(const std::string& stream = "events") { return {"far", "1-aa", stream}; }

struct Seqs {
  std::vector<std::uint64_t> list;
  std::string topic = "alarm/1";
  std::size_t payload_bytes = 16;
  WallTime recorded = WallTime(Duration(1'000'000));
};

// Events of those seqs, with ids "e-<seq>".
inline std::unique_ptr<EventBatch> events_at(const Seqs& seqs) {
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  for (const std::uint64_t seq : seqs.list) {
    const std::string id = "e-" + std::to_string(seq);
    const std::string payload(seqs.payload_bytes, 'x');
    EventView event;
    event.topic = seqs.topic;
    event.id = id;
    event.payload = payload;
    event.position = Position(0, seq);
    event.recorded = seqs.recorded;
    batch->add(event, seqs.recorded, ids);
  }
  return batch;
}

inline std::vector<std::uint64_t> from_to(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t seq = from; seq <= to; ++seq) all.push_back(seq);
  return all;
}

inline CopyWrite stretch(const LogId& log, std::uint64_t after, std::uint64_t upto,
                         const Seqs& seqs) {
  CopyWrite write;
  write.log = log;
  write.after = after;
  write.upto = upto;
  write.events = events_at(seqs);
  return write;
}
// With every event.
inline CopyWrite whole(const LogId& log, std::uint64_t after, std::uint64_t upto) {
  return stretch(log, after, upto, {from_to(after + 1, upto)});
}

// "1 2 lost(3..5) 7", as a reader gets it.
inline std::string words(const Result<ReadResult>& read) {
  if (!read) return read.error().message;
  std::string text;
  std::size_t next = 0;
  const auto say = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  const auto gaps_before = [&](std::uint64_t seq) {
    for (; next < read->gaps.size() && read->gaps[next].from < seq; ++next) {
      const Gap& gap = read->gaps[next];
      say(gap.reason + "(" + std::to_string(gap.from) + ".." + std::to_string(gap.to) + ")");
    }
  };
  for (const EventView& event : read->batch->events()) {
    gaps_before(event.position.seq());
    say(std::to_string(event.position.seq()));
  }
  gaps_before(UINT64_MAX);
  return text;
}

}  // namespace marram::test
