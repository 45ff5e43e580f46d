#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "gateway/mqtt/packet.h"

namespace marram::mqtt {
namespace {

TEST_SUITE_BEGIN("mqtt/packet round trip");

bool holds(const std::string& what, const std::function<void()>& property) {
  return rc::check(what, property);
}

std::string any_text() {
  const auto points = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 0x2000));
  std::string text;
  for (const int point : points) {
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else if (point < 0x800) {
      text += static_cast<char>(0xC0 | point >> 6);
      text += static_cast<char>(0x80 | (point & 0x3F));
    } else {
      text += static_cast<char>(0xE0 | point >> 12);
      text += static_cast<char>(0x80 | (point >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (point & 0x3F));
    }
  }
  return text;
}

Version any_version() { return *rc::gen::element(Version::V311, Version::V5); }

std::string any_user_properties() {
  std::string properties;
  const int count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) PropertyWriter(properties).user(any_text(), any_text());
  return properties;
}

Frame frame_of(std::string_view bytes) {
  Frame frame;
  RC_ASSERT(read_frame(bytes, kVarintMax, frame) == FrameState::Ready);
  RC_ASSERT(frame.bytes == bytes.size());
  return frame;
}

TEST_CASE("a PUBLISH that is written is read back as it was, and its size is foretold") {
  CHECK(holds("publish", [] {
    const Version version = any_version();
    const std::string topic = "t" + any_text();
    const auto payload = *rc::gen::arbitrary<std::string>();
    const std::string properties = version == Version::V5 ? any_user_properties() : "";
    Publish packet{.topic = topic, .payload = payload, .properties = Properties(properties)};
    packet.qos = static_cast<std::uint8_t>(*rc::gen::inRange(0, 3));
    packet.retain = *rc::gen::arbitrary<bool>();
    packet.dup = packet.qos > 0 && *rc::gen::arbitrary<bool>();
    if (packet.qos > 0) packet.packet_id = *rc::gen::inRange<std::uint16_t>(1, 65'535);

    std::string bytes;
    encode(packet, version, bytes);
    Publish back;
    RC_ASSERT(decode(frame_of(bytes), version, back) == Reason::Success);

    RC_ASSERT(bytes.size() == encoded_bytes(packet, version));
    RC_ASSERT(back.topic == packet.topic);
    RC_ASSERT(back.payload == packet.payload);
    RC_ASSERT(back.packet_id == packet.packet_id);
    RC_ASSERT(back.qos == packet.qos);
    RC_ASSERT(back.retain == packet.retain);
    RC_ASSERT(back.dup == packet.dup);
    RC_ASSERT(back.properties.raw() == packet.properties.raw());
  }));
}

TEST_CASE("a CONNECT that is written is read back as it was") {
  CHECK(holds("connect", [] {
    const std::string id = any_text();
    const std::string user = any_text();
    const auto password = *rc::gen::arbitrary<std::string>();
    const std::string topic = any_text();
    Connect packet{.version = any_version(),
                   .clean_start = *rc::gen::arbitrary<bool>(),
                   .keep_alive = *rc::gen::arbitrary<std::uint16_t>(),
                   .client_id = id};
    if (*rc::gen::arbitrary<bool>()) packet.user = user;
    if (packet.user && *rc::gen::arbitrary<bool>()) packet.password = password;
    if (*rc::gen::arbitrary<bool>()) {
      packet.will = Will{.topic = topic, .payload = password, .qos = 1, .retain = true};
    }

    std::string bytes;
    encode(packet, bytes);
    Connect back;
    RC_ASSERT(decode(frame_of(bytes), back) == Reason::Success);

    RC_ASSERT(back.version == packet.version);
    RC_ASSERT(back.clean_start == packet.clean_start);
    RC_ASSERT(back.keep_alive == packet.keep_alive);
    RC_ASSERT(back.client_id == packet.client_id);
    RC_ASSERT(back.user == packet.user);
    RC_ASSERT(back.password == packet.password);
    RC_ASSERT(back.will.has_value() == packet.will.has_value());
    if (packet.will) {
      RC_ASSERT(back.will->topic == packet.will->topic);
      RC_ASSERT(back.will->payload == packet.will->payload);
      RC_ASSERT(back.will->qos == 1);
      RC_ASSERT(back.will->retain);
    }
  }));
}

TEST_CASE("a SUBSCRIBE that is written is read back as it was") {
  CHECK(holds("subscribe", [] {
    const Version version = any_version();
    const std::string filter = any_text();
    FilterRequest request{.filter = filter,
                          .qos = static_cast<std::uint8_t>(*rc::gen::inRange(0, 3))};
    if (version == Version::V5) {
      request.no_local = *rc::gen::arbitrary<bool>();
      request.retain_as_published = *rc::gen::arbitrary<bool>();
      request.retain_handling = static_cast<RetainHandling>(*rc::gen::inRange(0, 3));
    }
    const auto count = static_cast<std::size_t>(*rc::gen::inRange(1, 5));
    const Subscribe packet{.packet_id = 3, .filters = {count, request}};

    std::string bytes;
    encode(packet, version, bytes);
    Subscribe back;
    RC_ASSERT(decode(frame_of(bytes), version, back) == Reason::Success);

    RC_ASSERT(back.filters.size() == count);
    RC_ASSERT(back.filters[count - 1].filter == filter);
    RC_ASSERT(back.filters[count - 1].qos == request.qos);
    RC_ASSERT(back.filters[count - 1].no_local == request.no_local);
    RC_ASSERT(back.filters[count - 1].retain_as_published == request.retain_as_published);
    RC_ASSERT(back.filters[count - 1].retain_handling == request.retain_handling);
  }));
}

TEST_CASE("a length that is written is read back, in the fewest bytes") {
  CHECK(holds("varint", [] {
    const auto value =
        static_cast<std::uint32_t>(*rc::gen::inRange<int>(0, static_cast<int>(kVarintMax) + 1));
    std::string bytes;
    Writer(bytes).varint(value);
    Reader reader(bytes);
    RC_ASSERT(reader.varint() == value);
    RC_ASSERT(reader.ok() && reader.at_end());
    RC_ASSERT(bytes.size() == varint_bytes(value));
  }));
}

TEST_CASE("no byte that is changed and no byte that is cut off is read beyond the packet") {
  CHECK(holds("damage", [] {
    std::string properties = any_user_properties();
    std::string bytes;
    encode(Publish{.topic = "a/b", .payload = "x", .properties = Properties(properties)},
           Version::V5, bytes);
    encode(Connect{.version = Version::V5, .client_id = "c", .user = "u"}, bytes);
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[at] = *rc::gen::arbitrary<char>();
    bytes.resize(*rc::gen::inRange<std::size_t>(0, bytes.size() + 1));
    std::string_view rest = bytes;
    Frame frame;
    while (read_frame(rest, 1 << 20, frame) == FrameState::Ready) {
      Publish publish;
      Connect connect;
      (void)decode(frame, Version::V5, publish);
      (void)decode(frame, connect);
      RC_ASSERT(frame.bytes <= rest.size());
      rest.remove_prefix(frame.bytes);
    }
  }));
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
