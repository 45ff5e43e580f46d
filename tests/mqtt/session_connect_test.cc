#include <doctest/doctest.h>

#include "tests/mqtt/raw_client.h"
#include "tests/mqtt/session_script.h"

namespace marram::mqtt {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_SUITE_BEGIN("mqtt/session connect");

std::string property(PropertyId id, std::uint32_t value) {
  std::string out;
  PropertyWriter(out).number(id, value);
  return out;
}

ConnAck connack_of(const std::string& bytes) {
  Frame frame;
  REQUIRE(read_frame(bytes, kVarintMax, frame) == FrameState::Ready);
  ConnAck packet;
  REQUIRE(decode(frame, Version::V5, packet) == Reason::Success);
  return packet;
}

TEST_CASE("a client proves who it is, gets its id, and is in") {
  for (const Version version : {Version::V311, Version::V5}) {
    SessionScript script(version);

    script.connect({.client_id = "c1", .user = "u", .password = "p"});
    CHECK(script.words() == "authenticate c1 u:p");
    script.authenticated();
    CHECK(script.words() == "claim c1 clean");
    script.claimed();
    CHECK(script.words() == "connack 0");
    CHECK(script.session.connected());
  }
}

TEST_CASE("the CONNACK says what this server can and cannot") {
  SessionScript script;
  script.connect({.client_id = ""});
  script.authenticated();
  script.claimed();

  const std::string bytes = script.bytes();
  const ConnAck connack = connack_of(bytes);

  CHECK(connack.properties.number(PropertyId::MaximumQos) == 1);
  CHECK(connack.properties.number(PropertyId::RetainAvailable) == 0);
  CHECK(connack.properties.number(PropertyId::SharedAvailable) == 0);
  CHECK(connack.properties.number(PropertyId::ReceiveMaximum) == 1024);
  CHECK(connack.properties.number(PropertyId::MaximumPacketSize) == 8U << 20);
  CHECK(connack.properties.text(PropertyId::AssignedClientId) == "auto-1");
  CHECK_FALSE(connack.properties.has(PropertyId::TopicAliasMaximum));
  CHECK_FALSE(connack.properties.has(PropertyId::SessionExpiry));
  CHECK_FALSE(connack.properties.has(PropertyId::ServerKeepAlive));
}

TEST_CASE("wishes over our limits are granted up to them, and the client is told") {
  SessionScript script(Version::V5, {.session_expiry_max = 100s, .keep_alive_max = 30s});
  const std::string properties = property(PropertyId::SessionExpiry, 0xFFFFFFFF);
  script.connect({.client_id = "c1", .properties = Properties(properties)});
  script.authenticated();
  script.claimed();

  const std::string bytes = script.bytes();
  const ConnAck connack = connack_of(bytes);

  CHECK(connack.properties.number(PropertyId::SessionExpiry) == 100);
  CHECK(connack.properties.number(PropertyId::ServerKeepAlive) == 30);
  CHECK(script.session.expiry_s() == 100);
}

TEST_CASE("what is wrong with a CONNECT is told in the words of the version") {
  struct Case {
    std::string what;
    Connect packet;
    std::string v5;
    std::string v311;
  };
  const std::string method = "\x15\x00\x01X"s;
  const std::string data = "\x16\x00\x01X"s;
  const std::string long_id(300, 'x');
  const std::vector<Case> cases = {
      {"id with +",
       {.client_id = "a+b"},
       "connack 85, close lingering",
       "connack 2, close lingering"},
      {"id with #",
       {.client_id = "#"},
       "connack 85, close lingering",
       "connack 2, close lingering"},
      {"id with /",
       {.client_id = "a/b"},
       "connack 85, close lingering",
       "connack 2, close lingering"},
      {"id with control",
       {.client_id = "a\x01"},
       "connack 85, close lingering",
       "connack 2, close lingering"},
      {"long id",
       {.client_id = long_id},
       "connack 85, close lingering",
       "connack 2, close lingering"},
      {"will",
       {.client_id = "c", .will = Will{.topic = "t", .payload = "x", .properties = {}}},
       "connack 83, close lingering",
       "connack 5, close lingering"},
      {"will at QoS 2",
       {.client_id = "c", .will = Will{.topic = "t", .payload = "x", .qos = 2, .properties = {}}},
       "connack 9b, close lingering",
       "connack 5, close lingering"},
      {"retained will",
       {.client_id = "c",
        .will = Will{.topic = "t", .payload = "x", .qos = 1, .retain = true, .properties = {}}},
       "connack 9a, close lingering",
       "connack 5, close lingering"},
  };
  for (const Case& wanted : cases) {
    CAPTURE(wanted.what);
    SessionScript modern;
    modern.connect(wanted.packet);
    CHECK(modern.words() == wanted.v5);
    SessionScript old(Version::V311);
    old.connect(wanted.packet);
    CHECK(old.words() == wanted.v311);
  }
  SessionScript other;
  other.connect({.client_id = "c", .properties = Properties(method)});
  CHECK(other.words() == "connack 8c, close lingering");
  SessionScript half;
  half.connect({.client_id = "c", .properties = Properties(data)});
  CHECK(half.words() == "connack 82, close lingering");
}

TEST_CASE("an empty id gets one, but not for a 3.1.1 session that is to be kept") {
  SessionScript clean(Version::V311);
  clean.connect({.clean_start = true, .client_id = ""});
  CHECK(clean.words() == "authenticate auto-1");
  SessionScript kept(Version::V311);
  kept.connect({.clean_start = false, .client_id = ""});
  CHECK(kept.words() == "connack 2, close lingering");
}

TEST_CASE("unknown versions are told so in the nearest words") {
  SessionScript old(Version::V311);
  old.raw("\x10\x0E\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00"s);
  CHECK(old.words() == "connack 1, close lingering");
  SessionScript future;
  future.raw("\x10\x0D\x00\x04MQTT\x06\x02\x00\x00\x00\x00\x00"s);
  CHECK(future.words() == "connack 84, close lingering");
}

TEST_CASE("a first packet that is no CONNECT, or no packet, ends the connection") {
  SessionScript ping;
  ping.raw("\xC0\x00"s);
  CHECK(ping.words() == "close");
  SessionScript garbage;
  garbage.raw("GET / HTTP/1.1\r\n");
  CHECK(garbage.words() == "close");
  SessionScript large;
  large.raw("\x10\xFF\xFF\x7F");
  CHECK(large.words() == "close");
  SessionScript malformed(Version::V311);
  malformed.raw("\x10\x02\x00\x04"s);
  CHECK(malformed.words() == "close");
}

TEST_CASE("who says nothing is left, and who goes silent too") {
  SessionScript silent;
  CHECK(silent.session.wake_at() == TimePoint() + 10s);
  silent.tick(9999ms);
  CHECK(silent.words().empty());
  silent.tick(1ms);
  CHECK(silent.words() == "close");

  SessionScript script;
  script.enter({.keep_alive = 10, .client_id = "c1"});
  script.tick(14s);
  script.raw("\xC0\x00"s);
  CHECK(script.words() == "pingresp");
  script.tick(14s);
  CHECK(script.words().empty());
  script.tick(1s);
  CHECK(script.words() == "disconnect 8d, close lingering");

  SessionScript patient;
  patient.enter({.keep_alive = 0, .client_id = "c1"});
  CHECK_FALSE(patient.session.wake_at());
}

TEST_CASE("a wrong password is refused, and so is a stranger") {
  SessionScript script(Version::V311);
  script.connect({.client_id = "c", .user = "u", .password = "wrong"});
  script.words();
  script.authenticated(nullptr, Reason::BadUserOrPassword);
  CHECK(script.words() == "connack 4, close lingering");
  SessionScript stranger;
  stranger.connect();
  stranger.words();
  stranger.authenticated(nullptr, Reason::NotAuthorized);
  CHECK(stranger.words() == "connack 87, close lingering");
}

TEST_CASE("who waits for an answer about its password for too long is told to try again") {
  SessionScript script(Version::V311);
  script.connect();
  script.words();
  script.tick(59s);
  CHECK(script.words().empty());
  script.tick(1s);
  CHECK(script.words() == "connack 3, close lingering");
}

TEST_CASE("packets that come before the answer wait with the listener") {
  SessionScript script;
  script.connect();
  CHECK_FALSE(script.session.takes_packets());
  script.authenticated();
  CHECK_FALSE(script.session.takes_packets());
  script.claimed();
  CHECK(script.session.takes_packets());
}

TEST_CASE("a kept session comes back with its filters, and the client is told once it is open") {
  SessionScript script(Version::V311);
  script.connect({.clean_start = false, .client_id = "c1"});
  script.authenticated();
  CHECK(script.words() == "authenticate c1, claim c1 persistent");
  script.claimed(StoredSession{60, {{"a/#", {.qos = 1}}}});
  CHECK(script.words() == "open mqtt:c1[a/#]");
  script.opened();
  CHECK(script.words() == "connack 0 present");
  script.deliver({.topic = "a/b", .payload = "x"}, 7, 2);
  CHECK(script.words() == "publish a/b x qos1 id1 dup");
}

TEST_CASE("a kept session without filters is present too") {
  SessionScript script;
  script.connect();
  script.authenticated();
  script.words();
  script.claimed(StoredSession{60, {}});
  CHECK(script.words() == "connack 0 present");
}

TEST_CASE("a kept session that cannot be opened, or one too many, is refused") {
  SessionScript script;
  script.connect();
  script.authenticated();
  script.claimed(StoredSession{60, {{"a", {}}}});
  script.words();
  script.ended(Errc::Closed);
  CHECK(script.words() == "connack 88, close lingering");
  SessionScript many;
  many.connect();
  many.authenticated();
  many.words();
  many.session.on_claim_refused(Reason::QuotaExceeded, many.out);
  CHECK(many.words() == "connack 97, close lingering");
}

TEST_CASE("DISCONNECT ends quietly, and may change how long the session is kept") {
  SessionScript script;
  const std::string keep = property(PropertyId::SessionExpiry, 60);
  script.enter({.client_id = "c1", .properties = Properties(keep)});
  script.subscribe("a", 1);
  script.opened();
  script.words();
  std::string bytes;
  const std::string longer = property(PropertyId::SessionExpiry, 120);
  encode(Farewell{.properties = Properties(longer)}, Version::V5, bytes);
  script.raw(bytes);
  CHECK(script.words() == "change [a], close");
  CHECK(script.session.expiry_s() == 120);

  SessionScript clean;
  clean.enter();
  clean.raw(bytes);
  CHECK(clean.words() == "disconnect 82, close lingering");
}

TEST_CASE("who is taken over, or shut down, is told why; 3.1.1 just ends") {
  SessionScript taken;
  taken.enter();
  taken.session.on_taken_over(taken.out);
  CHECK(taken.words() == "disconnect 8e, close lingering");
  SessionScript down;
  down.enter();
  down.session.on_shutdown(down.out);
  CHECK(down.words() == "disconnect 8b, close lingering");
  SessionScript old(Version::V311);
  old.enter();
  old.session.on_taken_over(old.out);
  CHECK(old.words() == "close");
}

TEST_CASE("a second CONNECT, AUTH and what only servers send are protocol errors") {
  for (const std::string& bytes :
       {"\x10\x0C\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00"s, "\xF0\x00"s, "\x20\x03\x00\x00\x00"s,
        "\xD0\x00"s, "\x50\x02\x00\x01"s, "\x62\x02\x00\x01"s}) {
    SessionScript script;
    script.enter();
    script.raw(bytes);
    CHECK(script.words() == "disconnect 82, close lingering");
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace marram::mqtt
