#include "core/delivery/tail.h"

#include <doctest/doctest.h>

#include "core/event/event.h"

TEST_SUITE_BEGIN("delivery/tail");

using namespace marram;

namespace {

// A batch with `count` events of log 1, from `first` on.
EventBatchPtr batch_of(std::uint64_t first, std::uint64_t count) {
  auto batch = std::make_shared<EventBatch>();
  UuidMaker ids;
  for (std::uint64_t seq = first; seq < first + count; ++seq) {
    batch->add(EventView{.topic = "a"}, {}, ids).position = Position(1, seq);
  }
  return batch;
}

void push(Tail& tail, const EventBatchPtr& batch) {
  std::vector<LogRange> ranges;
  ranges_of(*batch, ranges);
  tail.push(batch, ranges);
}

}  // namespace

TEST_CASE("what is cut is not found any more, also within a batch") {
  Tail tail(1 << 20);
  push(tail, batch_of(1, 4));
  push(tail, batch_of(5, 4));

  tail.cut(1, 6);

  CHECK(!tail.find(1, 4));
  CHECK(!tail.find(1, 6));
  CHECK(tail.find(1, 7)->upto == 8);
  CHECK(tail.next(1, 0) == 7);
}

TEST_CASE("a log of which all is cut is there again with its next batch") {
  Tail tail(1 << 20);
  push(tail, batch_of(1, 4));

  tail.cut(1, 9);
  tail.cut(1, 9);
  CHECK(!tail.next(1, 0));
  push(tail, batch_of(10, 1));

  CHECK(tail.next(1, 0) == 10);
}

TEST_CASE("a cut batch is pushed out like any other") {
  Tail tail(2 * Tail::cost(*batch_of(1, 4)));
  push(tail, batch_of(1, 4));
  push(tail, batch_of(5, 4));

  tail.cut(1, 4);
  push(tail, batch_of(9, 4));
  CHECK(tail.next(1, 0) == 5);
  push(tail, batch_of(13, 4));

  CHECK(tail.next(1, 0) == 9);
  CHECK(tail.bytes() == 2 * Tail::cost(*batch_of(1, 4)));
}
