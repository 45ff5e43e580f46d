#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <tuple>

#include "core/wire/decode.h"
#include "tests/wire/sample_frames.h"

TEST_SUITE_BEGIN("wire/codec");

using namespace marram;

namespace {

const wire::Defaults kDefaults{test::at(77), "sensor"};

std::string refusal(std::string_view bytes) {
  wire::Decoder decoder{Limits{}};
  const auto frame = decoder.decode(bytes, kDefaults);
  return frame ? "accepted" : std::string(name(frame.error().code));
}

EventBatch any_batch() {
  const auto count = *rc::gen::inRange<std::size_t>(1, 20);
  EventBatch batch;
  UuidMaker ids;
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
    batch.events().back().position = Position(1, i + 1);
    batch.events().back().recorded = test::at(static_cast<std::int64_t>(i));
  }
  return batch;
}

auto fields(const EventView& e) {
  return std::tie(e.topic, e.payload, e.id, e.uuid, e.key, e.content_type, e.client, e.headers,
                  e.time, e.expires);
}

}  // namespace

TEST_CASE("published events arrive as they left") {
  const bool held = rc::check([] {
    const EventBatch batch = any_batch();
    wire::Decoder decoder{Limits{}};

    const auto frame = decoder.decode(wire::encode_publish(3, batch.events()), {test::at(5), ""});

    RC_ASSERT(frame.has_value());
    const auto& publish = std::get<wire::Publish>(*frame);
    RC_ASSERT(publish.number == 3u);
    RC_ASSERT(publish.batch->size() == batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      RC_ASSERT(fields(publish.batch->events()[i]) == fields(batch.events()[i]));
    }
  });
  CHECK(held);
}

TEST_CASE("delivered events keep position and recorded time, and only those named are sent") {
  const EventBatch batch = test::sample_batch();
  const std::vector<std::uint32_t> second = {1};
  wire::Decoder decoder{Limits{}};

  const auto frame = decoder.decode(wire::encode_deliver(7, 2, batch.events(), second), kDefaults);

  REQUIRE(frame.has_value());
  const auto& deliver = std::get<wire::Deliver>(*frame);
  CHECK(deliver.id == 7);
  CHECK(deliver.attempt == 2);
  REQUIRE(deliver.batch->size() == 1);
  CHECK(deliver.batch->events()[0].position == Position(3, 42));
  CHECK(deliver.batch->events()[0].recorded == test::at(1'764'000'000'000'500));
  CHECK(fields(deliver.batch->events()[0]) == fields(batch.events()[1]));
}

TEST_CASE("an event without client, id and time gets the client's name, a new id and the time") {
  EventView event;
  event.topic = "a";
  wire::Decoder decoder{Limits{}};

  const auto frame = decoder.decode(wire::encode_publish(1, {&event, 1}), kDefaults);

  REQUIRE(frame.has_value());
  const EventView& got = std::get<wire::Publish>(*frame).batch->events().front();
  CHECK(got.client == "sensor");
  CHECK_FALSE(got.uuid.is_nil());
  CHECK(got.time == test::at(77));
}

TEST_CASE("a frame of every kind survives being cut anywhere: it is refused") {
  for (const auto& [name, bytes] : test::sample_frames()) {
    CAPTURE(name);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK(refusal(std::string_view(bytes).substr(0, size)) == "protocol");
    }
    CHECK(refusal(bytes) == "accepted");
    CHECK(refusal(bytes + '\x00') == "protocol");
  }
}

TEST_CASE("a changed byte never breaks the decoder") {
  wire::Decoder decoder{Limits{}};
  for (const auto& [name, bytes] : test::sample_frames()) {
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const int with : {0x00, 0x01, 0x7F, 0x90, 0xC0, 0xC6, 0xDD, 0xFF}) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(with);
        accepted += decoder.decode(changed, kDefaults).has_value() ? 1 : 0;
      }
    }
    CAPTURE(name);
    CHECK(accepted < bytes.size() * 8);
  }
}

TEST_CASE("elements that a later version appends are passed over") {
  std::string ping = wire::encode(wire::Ping{1});

  ping[0] = '\x94';  // four elements instead of two
  ping += std::string("\xA1x\x92\x01\x91\xC0", 6);

  CHECK(refusal(ping) == "accepted");
}

TEST_CASE("unknown verbs are refused up to 127, and read as Unknown from 128 on") {
  CHECK(refusal("\x91\x7F") == "protocol");
  wire::Decoder decoder{Limits{}};

  const auto frame = decoder.decode("\x92\xCC\xFF\xC0", kDefaults);
  const auto large = decoder.decode("\x92\xCD\x01\x80\xC0", kDefaults);  // 128 in its last byte

  REQUIRE(frame.has_value());
  CHECK(std::get<wire::Unknown>(*frame).verb == 255);
  REQUIRE(large.has_value());
  CHECK(std::get<wire::Unknown>(*large).verb == 384);
}

TEST_CASE("a verb from 128 on that is known keeps the rules of every other one") {
  CHECK(refusal("\x94\xCC\x80\x03\xA1o\xA1r") == "protocol");
  CHECK(refusal("\x95\xCC\x80\x03\xA1o\xA1r\xA1s") == "accepted");
  CHECK(refusal(std::string("\x95\xCC\x80\xCE\x00\x80\x00\x00\xA1o\xA1r\xA1s", 14)) == "protocol");
}

TEST_CASE("counts and sizes beyond the protocol's limits are refused") {
  Limits small;
  small.frame_bytes_max = 64;
  wire::Decoder decoder(small);

  const auto large = decoder.decode(std::string(65, '\xC0'), kDefaults);
  const auto none = decoder.decode("\x93\x10\x01\x90", kDefaults);

  REQUIRE_FALSE(large.has_value());
  CHECK(large.error().code == Errc::TooLarge);
  CHECK(large.error().message.find("limits.frame_bytes_max") != std::string::npos);
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().message == "wire: in verb 16: events has 0 elements, not 1 to 16384");
}

TEST_CASE("more filters than a consumer may have are for the consumer to refuse") {
  const std::vector<std::string> filters(5000, "a");

  CHECK(refusal(encode(wire::Change{1, filters, ""})) == "accepted");
}

TEST_CASE("a settlement cannot be made to cover more than kSettledMax positions") {
  std::vector<Position> many;
  for (std::size_t i = 0; i < wire::kSettledMax; ++i) many.emplace_back(1, i + 1);
  const std::string most = wire::encode_settle(1, many, Settle::Ack, {});
  many.emplace_back(1, many.size() + 1);

  CHECK(most.size() < 32);
  CHECK(refusal(most) == "accepted");
  CHECK(refusal(wire::encode_settle(1, many, Settle::Ack, {})) == "protocol");
}

TEST_CASE("an error code of a later version is read as a refusal that names it") {
  std::string frame = wire::encode(wire::Broken{{Errc::Busy, "no"}});
  frame.replace(frame.find("busy"), 4, "shy!");
  wire::Decoder decoder{Limits{}};

  const auto decoded = decoder.decode(frame, kDefaults);

  REQUIRE(decoded.has_value());
  CHECK(std::get<wire::Broken>(*decoded).error.code == Errc::Refused);
  CHECK(std::get<wire::Broken>(*decoded).error.message == "no (shy!)");
}

TEST_CASE("events are shared out to frames by their bytes, at least one a frame") {
  EventBatch batch;
  UuidMaker ids;
  const Event event{.topic = "a", .payload = std::string(1000, 'x')};
  for (int i = 0; i < 10; ++i) batch.add(event, "", test::at(5), ids);

  CHECK(wire::first_frame(batch.events(), 1).events == 1);
  CHECK(wire::first_frame(batch.events(), 1 << 20).events == 10);
  const auto share = wire::first_frame(batch.events(), 3500);
  CHECK(share.events == 2);
  CHECK(wire::encode_publish(1, std::span(batch.events()).first(2)).size() <= share.bytes);
}

TEST_SUITE_END();
