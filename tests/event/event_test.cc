#include "core/event/event.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace marram;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{1'795'843'415'000'123us};

EventView view_of(const Event& event, std::string_view packed_headers) {
  return {.topic = event.topic,
          .payload = event.payload,
          .id = event.id,
          .key = event.key,
          .content_type = event.content_type,
          .client = event.client,
          .headers = packed_headers,
          .time = event.time,
          .expires = event.expires};
}

Errc code_of(const Event& event, const Limits& limits = {}) {
  const std::string headers = pack_headers(event.headers).value();
  const Status status = check_event(view_of(event, headers), limits);
  REQUIRE(!status);
  return status.error().code;
}

bool passes(const Event& event) {
  const std::string headers = pack_headers(event.headers).value();
  return check_event(view_of(event, headers), Limits()).has_value();
}

}  // namespace

TEST_SUITE_BEGIN("event/event");

TEST_CASE("a position is a log and a number, in one integer that sorts by both") {
  const Position position(7, 1'000'000'000'000);

  CHECK(position.log() == 7);
  CHECK(position.seq() == 1'000'000'000'000);
  CHECK(position.packed() == (std::int64_t{7} << 40 | 1'000'000'000'000));
  CHECK(Position::from_packed(position.packed()) == position);
  CHECK(Position(1, 2) < Position(1, 3));
  CHECK(Position(1, 3) < Position(2, 1));
  CHECK(Position() == Position(0, 0));
  CHECK(Position((1U << 23) - 1, (std::uint64_t{1} << 40) - 1).log() == (1U << 23) - 1);
}

TEST_CASE("a log's id is its origin, epoch and stream") {
  CHECK(LogId{"0f3a", "4-9c", "events"}.text() == "0f3a.4-9c.events");
  CHECK(LogId{"0f3a", "4-9c", "events"} != LogId{"0f3a", "5-9c", "events"});
}

TEST_CASE("an event with every field set passes, and so does one with a topic only") {
  CHECK(passes({.topic = "a"}));
  CHECK(passes({.topic = "plant/1/temp",
                .payload = std::string("\0\xFF", 2),
                .id = "order-7",
                .key = "1",
                .content_type = "application/json",
                .client = "dev-1",
                .headers = {{"unit", "K"}, {"unit", "gr\xC3\xBCn\n"}, {"", ""}}}));
}

TEST_CASE("each field that breaks a rule is refused") {
  CHECK(code_of({.topic = ""}) == Errc::Invalid);
  CHECK(code_of({.topic = "a/#"}) == Errc::Invalid);
  CHECK(code_of({.topic = "$SYS/a"}) == Errc::Refused);
  CHECK(code_of({.topic = "a", .id = "a\nb"}) == Errc::Invalid);
  CHECK(code_of({.topic = "a", .key = "\xFF"}) == Errc::Invalid);
  CHECK(code_of({.topic = "a", .content_type = "\x1b[2J"}) == Errc::Invalid);
  CHECK(code_of({.topic = "a", .client = std::string("\0", 1)}) == Errc::Invalid);
  CHECK(code_of({.topic = "a", .headers = {{"\xC3", "1"}}}) == Errc::Invalid);
  CHECK(code_of({.topic = "a", .headers = {{"a", "\xED\xA0\x80"}}}) == Errc::Invalid);
}

TEST_CASE("headers that are not packed are refused") {
  const EventView event{.topic = "a", .headers = "abc"};

  CHECK(check_event(event, Limits()).error().code == Errc::Invalid);
}

TEST_CASE("each field over its limit is refused, and the config key is named") {
  const Limits limits{.topic_bytes_max = 4,
                      .payload_bytes_max = 4,
                      .headers_max = 2,
                      .headers_bytes_max = 30,
                      .key_bytes_max = 4,
                      .id_bytes_max = 4,
                      .name_bytes_max = 4};
  const std::pair<Event, std::string> cases[] = {
      {{.topic = "abcde"}, "limits.topic_bytes_max"},
      {{.topic = "a", .payload = "12345"}, "limits.payload_bytes_max"},
      {{.topic = "a", .id = "12345"}, "limits.id_bytes_max"},
      {{.topic = "a", .key = "12345"}, "limits.key_bytes_max"},
      {{.topic = "a", .content_type = "12345"}, "limits.name_bytes_max"},
      {{.topic = "a", .client = "12345"}, "limits.name_bytes_max"},
      {{.topic = "a", .headers = {{"a", std::string(40, 'x')}}}, "limits.headers_bytes_max"},
      {{.topic = "a", .headers = {{"a", "1"}, {"b", "2"}, {"c", "3"}}}, "limits.headers_max"}};
  for (const auto& [event, key] : cases) {
    CAPTURE(key);
    const std::string headers = pack_headers(event.headers).value();
    const Status status = check_event(view_of(event, headers), limits);
    REQUIRE(!status);
    CHECK(status.error().code == Errc::TooLarge);
    CHECK(status.error().message.find(key) != std::string::npos);
  }
}

TEST_CASE("a batch copies what it is given") {
  UuidMaker ids;
  EventBatch batch;
  {
    std::string topic = "a/b";
    std::string payload(1000, 'p');
    batch.add(EventView{.topic = topic, .payload = payload}, kNow, ids);
    topic = "x/y";
    payload.assign(1000, 'q');
  }

  CHECK(batch.size() == 1);
  CHECK(!batch.empty());
  CHECK(batch.events()[0].topic == "a/b");
  CHECK(batch.events()[0].payload == std::string(1000, 'p'));
}

TEST_CASE("events of one topic in a row share its bytes in a batch, no others do") {
  UuidMaker ids;
  EventBatch batch;
  for (const char* topic : {"a/b", "a/b", "a/c", "a/b"}) {
    const std::string text = topic;  // other bytes each time
    batch.add(EventView{.topic = text}, kNow, ids);
    REQUIRE(batch.events().back().topic == topic);
  }

  const auto bytes = [&](std::size_t i) { return batch.events()[i].topic.data(); };
  CHECK(bytes(0) == bytes(1));
  CHECK(bytes(1) != bytes(2));
  CHECK(bytes(1) != bytes(3));
  CHECK(same_text(batch.events()[0].topic, batch.events()[3].topic));
  CHECK_FALSE(same_text(batch.events()[1].topic, batch.events()[2].topic));
  CHECK_FALSE(same_text("a/b", "a/bc"));
}

TEST_CASE("an event without an id and time gets both") {
  UuidMaker ids;
  EventBatch batch;

  const EventView& event = batch.add(EventView{.topic = "a"}, kNow, ids);

  CHECK(event.id.empty());
  CHECK(!event.uuid.is_nil());
  CHECK(Uuid::parse(event.id_text()) == event.uuid);
  CHECK(event.time == kNow);
  CHECK(event.recorded == WallTime());
  CHECK(event.position == Position());
}

TEST_CASE("an id of zeros stays what the publisher gave, also when it is copied on") {
  EventBatch batch;
  EventBatch copy;
  UuidMaker ids;
  const std::string zeros = Uuid{}.text();

  batch.add(EventView{.topic = "a", .id = zeros}, kNow, ids);
  copy.add(batch.events().front(), kNow, ids);

  CHECK(batch.events().front().id_text() == zeros);
  CHECK(copy.events().front().id_text() == zeros);
}

TEST_CASE("an id stays what the publisher gave, as bytes when it is a canonical UUID") {
  UuidMaker ids;
  EventBatch batch;
  const std::string canonical = "0192f1a4-0001-7203-8405-060708090aff";
  batch.add(EventView{.topic = "a", .id = canonical}, kNow, ids);
  batch.add(EventView{.topic = "a", .id = "ORDER-7"}, kNow, ids);
  batch.add(EventView{.topic = "a", .id = "0192F1A4-0001-7203-8405-060708090AFF"}, kNow, ids);
  batch.add(EventView{.topic = "a", .uuid = *Uuid::parse(canonical)}, kNow, ids);

  CHECK(batch.events()[0].id.empty());
  CHECK(batch.events()[0].id_text() == canonical);
  CHECK(batch.events()[1].id_text() == "ORDER-7");
  CHECK(batch.events()[2].id_text() == "0192F1A4-0001-7203-8405-060708090AFF");
  CHECK(batch.events()[3].id_text() == canonical);
}

TEST_CASE("the ordering key is the key, or else the topic") {
  CHECK(EventView{.topic = "a/b"}.ordering_key() == "a/b");
  CHECK(EventView{.topic = "a/b", .key = "k"}.ordering_key() == "k");
}

TEST_CASE("events of any sizes read back from a batch, however it grows and moves") {
  const bool holds = rc::check([] {
    UuidMaker ids;
    EventBatch batch;
    std::vector<Event> events;
    const auto sizes = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 40'000));
    std::size_t bytes = 0;
    for (const int size : sizes) {
      Event event{.topic = "t/" + std::to_string(size),
                  .payload = std::string(static_cast<std::size_t>(size), 'p'),
                  .id = "id-" + std::to_string(events.size()),
                  .key = std::string(static_cast<std::size_t>(size) % 300, 'k'),
                  .headers = {{"n", std::to_string(size)}},
                  .time = kNow};
      batch.add(event, *pack_headers(event.headers), kNow, ids);
      bytes += batch.events().back().bytes();
      events.push_back(std::move(event));
    }

    const EventBatch moved = std::move(batch);
    RC_ASSERT(moved.size() == events.size());
    RC_ASSERT(moved.bytes() == bytes);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event back = moved.events()[i].to_event();
      RC_ASSERT(back.topic == events[i].topic);
      RC_ASSERT(back.payload == events[i].payload);
      RC_ASSERT(back.id == events[i].id);
      RC_ASSERT(back.key == events[i].key);
      RC_ASSERT(back.headers == events[i].headers);
      RC_ASSERT(back.time == kNow);
    }
  });
  CHECK(holds);
}

TEST_CASE("bytes count all that an event holds") {
  const EventView small{.topic = "a"};
  const EventView large{.topic = "a", .payload = "12345", .key = "67", .headers = "890"};

  CHECK(small.bytes() > 1);
  CHECK(large.bytes() == small.bytes() + 10);
}
