#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <tuple>

#include "tests/wire/sample_link_frames.h"

TEST_SUITE_BEGIN("wire/link_codec");

using namespace marram;

namespace {

template <class Kind>
Kind there_and_back(const wire::LinkFrame& frame) {
  wire::LinkDecoder decoder{Limits{}};
  const std::string bytes = wire::encode_link(frame);
  auto decoded = decoder.decode(bytes);
  if (!decoded) FAIL(decoded.error().message);
  REQUIRE(std::holds_alternative<Kind>(*decoded));
  return std::get<Kind>(std::move(*decoded));
}

// A run of events with holes between their positions.
EventBatch any_batch() {
  const auto count = *rc::gen::inRange<std::size_t>(1, 20);
  EventBatch batch;
  UuidMaker ids;
  std::uint64_t seq = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Event event;
    event.topic = *rc::gen::arbitrary<std::string>();
    event.payload = *rc::gen::arbitrary<std::string>();
    event.id = *rc::gen::arbitrary<std::string>();
    event.key = *rc::gen::arbitrary<std::string>();
    event.content_type = *rc::gen::arbitrary<std::string>();
    event.client = *rc::gen::arbitrary<std::string>();
    event.time = test::at(*rc::gen::inRange<std::int64_t>(-1000, 1'000'000'000'000));
    event.expires = test::at(*rc::gen::inRange<std::int64_t>(0, 3));
    batch.add(event, *rc::gen::arbitrary<std::string>(), test::at(5), ids);
    seq += *rc::gen::inRange<std::uint64_t>(1, 1 << 20);
    batch.events().back().position = Position(1, seq);
    batch.events().back().recorded = test::at(static_cast<std::int64_t>(i));
  }
  return batch;
}

auto fields(const EventView& e) {
  return std::tie(e.topic, e.payload, e.id, e.uuid, e.key, e.content_type, e.client, e.headers,
                  e.time, e.expires, e.recorded);
}

}  // namespace

TEST_CASE("events cross a link as they are, with their place in the log and no log number") {
  const bool held = rc::check([] {
    const EventBatch batch = any_batch();
    const std::uint64_t upto = batch.events().back().position.seq() + 3;
    wire::LinkDecoder decoder{Limits{}};

    auto frame = decoder.decode(wire::encode_data(9, 0, upto, batch.events(), {}));

    RC_ASSERT(frame.has_value());
    const auto& data = std::get<wire::Data>(*frame);
    RC_ASSERT(std::tie(data.want, data.after, data.upto) == std::make_tuple(9u, 0u, upto));
    RC_ASSERT(data.batch->size() == batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const EventView& got = data.batch->events()[i];
      RC_ASSERT(fields(got) == fields(batch.events()[i]));
      RC_ASSERT(got.position == Position(0, batch.events()[i].position.seq()));
    }
  });
  CHECK(held);
}

TEST_CASE("of a batch only the events named by index are sent") {
  const EventBatch batch = test::sample_batch();
  const std::vector<std::uint32_t> second = {1};
  wire::LinkDecoder decoder{Limits{}};

  const auto frame = decoder.decode(wire::encode_data(1, 40, 42, batch.events(), second));

  REQUIRE(frame.has_value());
  const auto& data = std::get<wire::Data>(*frame);
  REQUIRE(data.batch->size() == 1);
  CHECK(fields(data.batch->events()[0]) == fields(batch.events()[1]));
}

TEST_CASE("an event in parts is put together again") {
  EventBatch batch;
  UuidMaker ids;
  const Event large{.topic = "camera/1", .payload = std::string(200'000, 'x'), .key = "camera"};
  batch.add(large, "", test::at(5), ids);
  batch.events().front().position = Position(2, 7);
  batch.events().front().recorded = test::at(9);
  const std::string packed = wire::pack_event(batch.events().front());
  wire::LinkDecoder decoder{Limits{}};

  std::string whole;
  for (std::size_t at = 0; at < packed.size(); at += wire::kPartBytesMax) {
    whole += there_and_back<wire::Part>(
                 wire::Part{1, 6, 7, at, packed.size(), packed.substr(at, wire::kPartBytesMax)})
                 .bytes;
  }
  EventBatch got;
  REQUIRE(decoder.unpack_event(whole, got));

  REQUIRE(got.size() == 1);
  CHECK(fields(got.events().front()) == fields(batch.events().front()));
  CHECK(got.events().front().position == Position(0, 7));
}

TEST_CASE("an id of zeros, which a publisher chose, is not replaced by a new one on the way") {
  EventBatch batch;
  UuidMaker ids;
  batch.add(Event{.topic = "a", .id = Uuid{}.text()}, "", test::at(5), ids);
  batch.events().front().position = Position(1, 1);
  wire::LinkDecoder decoder{Limits{}};

  EventBatch got;
  REQUIRE(decoder.unpack_event(wire::pack_event(batch.events().front()), got));

  CHECK(got.events().front().id_text() == Uuid{}.text());
}

TEST_CASE("a frame full of logs with the longest ids of events fits into a frame") {
  const LogId log{test::kNodeA, std::string(64, 'e'), std::string(wire::kIdBytesMax, 's')};
  wire::Have have;
  have.logs.assign(wire::kLogsPerFrameMax,
                   {log, wire::kSeqMax, wire::kSeqMax, std::string(wire::kIdBytesMax, 'x')});

  CHECK(there_and_back<wire::Have>(have).logs.size() == wire::kLogsPerFrameMax);
}

TEST_CASE("HELLO tells who speaks, for how long it waits and what it takes") {
  const auto hello = there_and_back<wire::LinkHello>(test::sample_link_hello());

  CHECK(hello.low == wire::kVersionLow);
  CHECK(hello.high == wire::kVersionHigh);
  CHECK(hello.name == "gw-3");
  CHECK(hello.instance == "c0ffee");
  CHECK(hello.silent_after == std::chrono::seconds(15));
  CHECK(hello.node_id == test::kNodeA);
  CHECK(hello.window_bytes == 4 << 20);
  CHECK(hello.event_bytes_max == 8'424'352);
  CHECK(hello.addresses == std::vector<std::string>{"tcp://10.0.0.3:7400"});
}

TEST_CASE("a map record keeps its neighbours, logs, topics and copies") {
  const auto state = there_and_back<wire::State>(wire::State{{}, {test::sample_record()}});

  REQUIRE(state.records.size() == 1);
  const wire::MapRecord& record = state.records.front();
  CHECK(record.number == 312);
  CHECK(record.clock_suspect);
  REQUIRE(record.neighbours.size() == 1);
  CHECK(record.neighbours[0].cost == 10);
  REQUIRE(record.open.size() == 2);
  CHECK(record.open[0].topics == std::vector<std::string>{"plant/+/alarm/#"});
  CHECK(record.open[0].priority == Priority::High);
  CHECK(record.open[1].durability == Durability::Os);
  REQUIRE(record.copies.size() == 1);
  CHECK(record.copies[0].log == LogId{test::kNodeB, "4-00e1b2", "events"});
  CHECK(record.copies[0].first == 31);
  CHECK(record.copies[0].upto == 80);
}

TEST_CASE("a want keeps its kind, filters and where it begins") {
  const auto main = there_and_back<wire::Want>(test::sample_want());
  const auto backfill = there_and_back<wire::Want>(test::sample_backfill());
  const auto head = there_and_back<wire::Want>(test::sample_head_want());

  CHECK(main.standing);
  CHECK(main.all);
  CHECK(main.from == wire::Begin{.seq = 42});
  CHECK(main.id == test::kUuid);
  CHECK(main.owed == 42);
  CHECK(backfill.kind == wire::WantKind::Backfill);
  CHECK_FALSE(backfill.all);
  CHECK(backfill.filters == std::vector<std::string>{"plant/1/#"});
  CHECK(backfill.from.time == test::at(1'764'000'000'000'000));
  CHECK(backfill.to == 41);
  CHECK(backfill.owed == 0);
  CHECK(head.from.at == wire::Begin::At::Head);
  CHECK(head.id.empty());
}

TEST_CASE("logs of a hold and of its release belong to the stream that the frame names") {
  const LogId log = test::sample_log();

  const auto held = there_and_back<wire::Held>(wire::Held{"alarms", {{log, 40}}});
  const auto release = there_and_back<wire::Release>(wire::Release{"alarms", {log}});

  REQUIRE(held.logs.size() == 1);
  CHECK(held.logs[0].log == log);
  CHECK(held.logs[0].acked == 40);
  CHECK(release.logs == std::vector<LogId>{log});
}

TEST_CASE("what a node expects comes as it was said, up to its limits") {
  wire::Expect expect{{"a/#", "b"}, {"alarms", "*"}};
  CHECK(there_and_back<wire::Expect>(expect) == expect);
  CHECK(there_and_back<wire::Expect>(wire::Expect{}) == wire::Expect{});

  expect.streams.assign(wire::kExpectStreamsMax + 1, "s");
  wire::LinkDecoder decoder{Limits{}};
  CHECK_FALSE(decoder.decode(wire::encode_link(expect)).has_value());
}

TEST_CASE("a want begins where a log can have a seq, whatever a reader asks for") {
  wire::Want want = test::sample_want();

  want.from.seq = 0;
  CHECK(there_and_back<wire::Want>(want).from.seq == 1);
  want.from.seq = UINT64_MAX;
  CHECK(there_and_back<wire::Want>(want).from.seq == wire::kSeqMax + 1);
}

TEST_CASE("filters that are too many, or too long together, do not fit into a want") {
  wire::Want want = test::sample_want();
  want.all = false;
  want.filters.assign(wire::kLinkFiltersMax, std::string(500, 'x'));

  CHECK(wire::filters_fit(want.filters));
  CHECK(there_and_back<wire::Want>(want).filters.size() == wire::kLinkFiltersMax);
  CHECK_FALSE(wire::filters_fit(std::vector<std::string>(wire::kLinkFiltersMax + 1, "x")));
  CHECK_FALSE(wire::filters_fit({std::string(wire::kLinkFrameBytesMax, 'x')}));
}

TEST_CASE("an event id too long for HAVE and WANT is left out rather than refused") {
  wire::Want want = test::sample_want();
  want.id = std::string(wire::kIdBytesMax + 1, 'x');
  const wire::Have have{{{test::sample_log(), 1, 42, want.id}}};

  CHECK(there_and_back<wire::Want>(want).id.empty());
  CHECK(there_and_back<wire::Have>(have).logs[0].id.empty());
}

TEST_CASE("the window counts the same before and after the crossing") {
  const EventBatch batch = test::sample_batch();
  std::uint64_t events = 0;
  for (const EventView& event : batch.events()) events += wire::credit_bytes(event);

  CHECK(wire::credit_bytes(test::sample_data()) == wire::kFrameCredit + events);
  CHECK(wire::credit_bytes(there_and_back<wire::Data>(test::sample_data())) ==
        wire::kFrameCredit + events);
  CHECK(wire::credit_bytes(batch.events()[0]) == 12 + 4 + 128);  // topic, payload, the rest
  CHECK(wire::credit_bytes(test::sample_part()) == 64 + 4);
  CHECK(wire::credit_bytes(wire::Upto{1, 2, 3}) == 64);
  CHECK(wire::credit_bytes(wire::LinkGap{1, 2, 3, "retention"}) == 64);
  CHECK(wire::credit_bytes(test::sample_want()) == 0);
  CHECK(wire::credit_bytes(wire::Ping{1}) == 0);
}

TEST_CASE("an event at all its limits packs into event_bytes_max") {
  const Limits limits;
  EventBatch batch;
  UuidMaker ids;
  const auto filled = [](std::size_t size) { return std::string(size, 'x'); };
  const Event event{.topic = filled(limits.topic_bytes_max),
                    .payload = filled(limits.payload_bytes_max),
                    .id = filled(limits.id_bytes_max),
                    .key = filled(limits.key_bytes_max),
                    .content_type = filled(limits.name_bytes_max),
                    .client = filled(limits.name_bytes_max),
                    .time = WallTime::max(),
                    .expires = WallTime::max()};
  batch.add(event, filled(limits.headers_bytes_max), test::at(5), ids);
  batch.events().front().recorded = WallTime::max();
  batch.events().front().position = Position(1, wire::kSeqMax);

  const std::size_t packed = wire::pack_event(batch.events().front()).size();

  CHECK(packed <= wire::event_bytes_max(limits));
  CHECK(packed + 128 > wire::event_bytes_max(limits));
}

TEST_SUITE_END();
