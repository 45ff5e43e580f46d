#include "gateway/mqtt/packet.h"

#include <doctest/doctest.h>

#include <vector>

namespace marram::mqtt {
namespace {

using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/packet");

struct Case {
  std::string what;
  std::string bytes;  // the whole packet
  Reason reason;
};

Frame frame_of(std::string_view bytes) {
  Frame frame;
  REQUIRE(read_frame(bytes, kVarintMax, frame) == FrameState::Ready);
  REQUIRE(frame.bytes == bytes.size());
  return frame;
}

std::string packet(int first, const std::string& body) {
  std::string out(1, static_cast<char>(first));
  Writer(out).varint(body.size());
  return out + body;
}

template <class Decode>
void check_all(const std::vector<Case>& cases, Decode decode_it) {
  for (const Case& wanted : cases) {
    CAPTURE(wanted.what);
    CHECK(std::string(name(decode_it(frame_of(wanted.bytes)))) == std::string(name(wanted.reason)));
  }
}

TEST_CASE("a packet is looked at before all of it has come") {
  Frame frame;
  CHECK(read_frame("", 100, frame) == FrameState::Partial);
  CHECK(read_frame("\xC0", 100, frame) == FrameState::Partial);
  CHECK(read_frame("\xC0\x00"s, 100, frame) == FrameState::Ready);
  CHECK(read_frame("\x30\x80", 100, frame) == FrameState::Partial);
  CHECK(read_frame("\x30\x80\x80\x80\x80\x01", 100, frame) == FrameState::Malformed);
  CHECK(read_frame("\x30\x7F", 100, frame) == FrameState::TooLarge);
  CHECK(read_frame("\x30\x62", 100, frame) == FrameState::Partial);
  CHECK(read_frame("\x00\x00"s, 100, frame) == FrameState::Malformed);
}

TEST_CASE("flags that a packet type does not have are malformed") {
  Frame frame;
  for (int type = 1; type <= 15; ++type) {
    for (int flags = 0; flags < 16; ++flags) {
      const std::string bytes{static_cast<char>(type << 4 | flags), 0};
      const int right = type == 6 || type == 8 || type == 10 ? 2 : 0;
      const bool good = type == 3 || flags == right;
      CAPTURE(type);
      CAPTURE(flags);
      CHECK((read_frame(bytes, 100, frame) == FrameState::Ready) == good);
    }
  }
}

TEST_CASE("CONNECT is taken apart, or refused with its reason") {
  const std::string v4 = "\x00\x04MQTT\x04"s;
  const std::string v5 = "\x00\x04MQTT\x05"s;
  const std::vector<Case> cases = {
      {"3.1.1", packet(0x10, v4 + "\x02\x00\x3C\x00\x01x"s), Reason::Success},
      {"5.0", packet(0x10, v5 + "\x02\x00\x3C\x00\x00\x01x"s), Reason::Success},
      {"user and password", packet(0x10, v4 + "\xC2\x00\x00\x00\x01x\x00\x01u\x00\x01p"s),
       Reason::Success},
      {"will", packet(0x10, v4 + "\x06\x00\x00\x00\x01x\x00\x01t\x00\x01m"s), Reason::Success},
      {"nothing", packet(0x10, ""), Reason::MalformedPacket},
      {"3.1", packet(0x10, "\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x01x"s), Reason::UnsupportedVersion},
      {"level 6", packet(0x10, "\x00\x04MQTT\x06\x02\x00\x3C\x00\x01x"s),
       Reason::UnsupportedVersion},
      {"another protocol", packet(0x10, "\x00\x04HTTP\x04\x02\x00\x3C\x00\x01x"s),
       Reason::UnsupportedVersion},
      {"reserved flag", packet(0x10, v4 + "\x03\x00\x00\x00\x01x"s), Reason::MalformedPacket},
      {"will QoS 3", packet(0x10, v4 + "\x1E\x00\x00\x00\x01x\x00\x01t\x00\x00"s),
       Reason::MalformedPacket},
      {"will QoS without will", packet(0x10, v4 + "\x0A\x00\x00\x00\x01x"s),
       Reason::MalformedPacket},
      {"will retain without will", packet(0x10, v4 + "\x22\x00\x00\x00\x01x"s),
       Reason::MalformedPacket},
      {"password without user in 3.1.1", packet(0x10, v4 + "\x42\x00\x00\x00\x01x\x00\x01p"s),
       Reason::MalformedPacket},
      {"password without user in 5.0", packet(0x10, v5 + "\x42\x00\x00\x00\x00\x01x\x00\x01p"s),
       Reason::Success},
      {"no client id", packet(0x10, v4 + "\x02\x00\x00"s), Reason::MalformedPacket},
      {"client id cut off", packet(0x10, v4 + "\x02\x00\x00\x00\x05x"s), Reason::MalformedPacket},
      {"client id with NUL", packet(0x10, v4 + "\x02\x00\x00\x00\x01\x00"s),
       Reason::MalformedPacket},
      {"client id no UTF-8", packet(0x10, v4 + "\x02\x00\x00\x00\x01\xFF"s),
       Reason::MalformedPacket},
      {"client id with a surrogate", packet(0x10, v4 + "\x02\x00\x00\x00\x03\xED\xA0\x80"s),
       Reason::MalformedPacket},
      {"bytes behind", packet(0x10, v4 + "\x02\x00\x00\x00\x01xy"s), Reason::MalformedPacket},
      {"receive maximum 0", packet(0x10, v5 + "\x02\x00\x00\x03\x21\x00\x00\x00\x01x"s),
       Reason::ProtocolError},
      {"a property twice", packet(0x10, v5 + "\x02\x00\x00\x06\x21\x00\x01\x21\x00\x02\x00\x01x"s),
       Reason::ProtocolError},
      {"a property of PUBLISH", packet(0x10, v5 + "\x02\x00\x00\x02\x01\x01\x00\x01x"s),
       Reason::ProtocolError},
      {"an unknown property", packet(0x10, v5 + "\x02\x00\x00\x02\x7E\x01\x00\x01x"s),
       Reason::MalformedPacket},
      {"properties longer than the packet", packet(0x10, v5 + "\x02\x00\x00\x7F\x21\x00\x01"s),
       Reason::MalformedPacket},
      {"a property cut off", packet(0x10, v5 + "\x02\x00\x00\x02\x21\x00\x00\x01x"s),
       Reason::MalformedPacket},
      {"request problem information 2", packet(0x10, v5 + "\x02\x00\x00\x02\x17\x02\x00\x01x"s),
       Reason::ProtocolError},
  };
  check_all(cases, [](const Frame& frame) {
    Connect connect;
    return decode(frame, connect);
  });
}

TEST_CASE("PUBLISH is taken apart, or refused with its reason") {
  const std::vector<Case> cases = {
      {"QoS 0", packet(0x30, "\x00\x01t\x00hello"s), Reason::Success},
      {"QoS 1", packet(0x32, "\x00\x01t\x00\x07\x00hello"s), Reason::Success},
      {"QoS 2", packet(0x34, "\x00\x01t\x00\x07\x00"s), Reason::Success},
      {"QoS 3", packet(0x36, "\x00\x01t\x00\x07\x00"s), Reason::MalformedPacket},
      {"DUP at QoS 0", packet(0x38, "\x00\x01t\x00"s), Reason::MalformedPacket},
      {"packet id 0", packet(0x32, "\x00\x01t\x00\x00\x00"s), Reason::ProtocolError},
      {"no packet id", packet(0x32, "\x00\x01t"s), Reason::MalformedPacket},
      {"no topic", packet(0x30, ""), Reason::MalformedPacket},
      {"topic cut off", packet(0x30, "\x00\x09t"s), Reason::MalformedPacket},
      {"empty topic", packet(0x30, "\x00\x00\x00x"s), Reason::ProtocolError},
      {"empty topic, alias", packet(0x30, "\x00\x00\x03\x23\x00\x01x"s), Reason::Success},
      {"no properties", packet(0x30, "\x00\x01t"s), Reason::MalformedPacket},
      {"property length of five bytes", packet(0x30, "\x00\x01t\x80\x80\x80\x80\x01"s),
       Reason::MalformedPacket},
      {"property length not the shortest", packet(0x30, "\x00\x01t\x80\x00"s),
       Reason::MalformedPacket},
      {"payload format 2", packet(0x30, "\x00\x01t\x02\x01\x02"s), Reason::ProtocolError},
      {"response topic with a wildcard", packet(0x30, "\x00\x01t\x06\x08\x00\x03"s + "a/#"),
       Reason::ProtocolError},
      {"subscription identifier 0", packet(0x30, "\x00\x01t\x02\x0B\x00"s), Reason::ProtocolError},
      {"two user properties of one name",
       packet(0x30,
              "\x00\x01t\x0E\x26\x00\x01"s + "a\x00\x01"s + "b\x26\x00\x01"s + "a\x00\x01"s + "c"),
       Reason::Success},
  };
  check_all(cases, [](const Frame& frame) {
    Publish publish;
    return decode(frame, Version::V5, publish);
  });
}

TEST_CASE("SUBSCRIBE and UNSUBSCRIBE are taken apart, or refused with their reason") {
  const std::vector<Case> cases = {
      {"one", packet(0x82, "\x00\x01\x00\x00\x01t\x01"s), Reason::Success},
      {"all options", packet(0x82, "\x00\x01\x00\x00\x01t\x2E"s), Reason::Success},
      {"no filter", packet(0x82, "\x00\x01\x00"s), Reason::ProtocolError},
      {"packet id 0", packet(0x82, "\x00\x00\x00\x00\x01t\x01"s), Reason::ProtocolError},
      {"no options", packet(0x82, "\x00\x01\x00\x00\x01t"s), Reason::MalformedPacket},
      {"QoS 3", packet(0x82, "\x00\x01\x00\x00\x01t\x03"s), Reason::MalformedPacket},
      {"reserved option", packet(0x82, "\x00\x01\x00\x00\x01t\x41"s), Reason::MalformedPacket},
      {"retain handling 3", packet(0x82, "\x00\x01\x00\x00\x01t\x31"s), Reason::ProtocolError},
      {"filter no UTF-8", packet(0x82, "\x00\x01\x00\x00\x01\xFE\x01"s), Reason::MalformedPacket},
  };
  check_all(cases, [](const Frame& frame) {
    Subscribe subscribe;
    return decode(frame, Version::V5, subscribe);
  });
  Subscribe old;
  CHECK(decode(frame_of(packet(0x82, "\x00\x01\x00\x01t\x01"s)), Version::V311, old) ==
        Reason::Success);
  CHECK(decode(frame_of(packet(0x82, "\x00\x01\x00\x01t\x05"s)), Version::V311, old) ==
        Reason::MalformedPacket);
  Unsubscribe none;
  CHECK(decode(frame_of(packet(0xA2, "\x00\x01\x00"s)), Version::V5, none) ==
        Reason::ProtocolError);
  CHECK(decode(frame_of(packet(0xA2, "\x00\x01\x00\x00\x05t"s)), Version::V5, none) ==
        Reason::MalformedPacket);
}

TEST_CASE("acknowledgements and farewells come short and long") {
  Ack ack;
  CHECK(decode(frame_of("\x40\x02\x00\x09"s), Version::V311, ack) == Reason::Success);
  CHECK(ack.packet_id == 9);
  CHECK(decode(frame_of("\x40\x03\x00\x09\x87"s), Version::V311, ack) == Reason::MalformedPacket);
  CHECK(decode(frame_of("\x40\x03\x00\x09\x87"s), Version::V5, ack) == Reason::Success);
  CHECK(ack.reason == Reason::NotAuthorized);
  CHECK(decode(frame_of("\x40\x04\x00\x09\x87\x00"s), Version::V5, ack) == Reason::Success);
  CHECK(decode(frame_of("\x40\x02\x00\x00"s), Version::V5, ack) == Reason::ProtocolError);
  CHECK(decode(frame_of("\x40\x01\x00"s), Version::V5, ack) == Reason::MalformedPacket);
  Farewell farewell;
  CHECK(decode(frame_of("\xE0\x00"s), Version::V311, farewell) == Reason::Success);
  CHECK(decode(frame_of("\xE0\x01\x00"s), Version::V311, farewell) == Reason::MalformedPacket);
  CHECK(decode(frame_of("\xE0\x01\x8E"s), Version::V5, farewell) == Reason::Success);
  CHECK(farewell.reason == Reason::SessionTakenOver);
  CHECK(decode(frame_of("\xE0\x03\x00\x00\x00"s), Version::V5, farewell) ==
        Reason::MalformedPacket);
  CHECK(decode(frame_of("\xF0\x00"s), Version::V311, farewell) == Reason::ProtocolError);
}

TEST_CASE("answers are written as each version has them") {
  std::string out;
  encode(ConnAck{.session_present = true, .reason = Reason::QuotaExceeded}, Version::V311, out);
  CHECK(out == "\x20\x02\x01\x03"s);
  out.clear();
  encode(ConnAck{.reason = Reason::BadUserOrPassword}, Version::V5, out);
  CHECK(out == "\x20\x03\x00\x86\x00"s);
  out.clear();
  const FilterAnswers answers{.packet_id = 5,
                              .codes = {Reason::GrantedQos1, Reason::FilterInvalid}};
  encode(answers, Version::V311, out);
  CHECK(out == "\x90\x04\x00\x05\x01\x80"s);
  out.clear();
  encode(answers, Version::V5, out);
  CHECK(out == "\x90\x05\x00\x05\x00\x01\x8F"s);
  out.clear();
  encode(Ack{.packet_id = 3, .reason = Reason::QuotaExceeded}, Version::V5, out);
  CHECK(out == "\x40\x03\x00\x03\x97"s);
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
