#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire/address.h"
#include "tests/node/mesh_sides.h"

TEST_SUITE_BEGIN("node/mesh_refusal");

using namespace marram;
using namespace std::chrono_literals;
using test::Pair;
using test::RawNode;
using test::Side;
using test::until;

namespace {

// A TCP connection that says nothing.
class MuteCaller {
 public:
  explicit MuteCaller(const std::string& address) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(wire::parse_address("test", address)->port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~MuteCaller() { ::close(fd_); }
  MuteCaller(const MuteCaller&) = delete;
  MuteCaller& operator=(const MuteCaller&) = delete;

  // Past the greeting that the library sends.
  bool cut() {
    char bytes[256];
    ssize_t got = 0;
    do {
      got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    } while (got > 0);
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

}  // namespace

TEST_CASE("a stranger's key is refused: counted each time, logged once, with what to do") {
  Side a;
  Side b;
  a.trusts(b);
  REQUIRE(a.open());
  REQUIRE(b.open());

  for (std::size_t dials = 1; dials <= 3; ++dials) {
    a.dial(b);
    REQUIRE(until([&] { return a.failed.size() == dials; }, {&a, &b}));
    REQUIRE(until([&] { return b.refused("untrusted") == dials; }, {&a, &b}));
  }

  CHECK(a.ups.empty());
  CHECK(b.ups.empty());
  const std::string what = "marram peer trust '" + a.options.key.public_key;
  CHECK(b.log.count(what) == 1);
  CHECK(a.refused("refused_there") == 3);
  CHECK(a.log.count(what) == 1);
}

TEST_CASE("a listener that is not trusted is not spoken to") {
  Side a;
  Side b;
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());

  a.dial(b);
  REQUIRE(until([&] { return a.failed.size() == 1; }, {&a, &b}));
  a.transport->dial({b.address(), ""});
  REQUIRE(until([&] { return a.failed.size() == 2; }, {&a, &b}));

  CHECK(a.refused("untrusted") == 1);
  CHECK(a.refused("unproved") == 1);
  CHECK(b.ups.empty());
}

TEST_CASE("who trusts no key at all is told so, who trusts another's is not") {
  Side a;
  Side b;
  REQUIRE(a.open());
  REQUIRE(b.open());
  const std::string nobody = "this node trusts no key at all";

  a.transport->dial({b.address(), ""});
  REQUIRE(until([&] { return a.failures.size() == 1; }, {&a, &b}));
  CHECK_MESSAGE(a.failures[0].find(nobody) != std::string::npos, a.failures[0]);

  a.trust.list.insert(make_curve_key().public_key);
  a.transport->dial({b.address(), ""});
  REQUIRE(until([&] { return a.failures.size() == 2; }, {&a, &b}));
  CHECK_MESSAGE(a.failures[1].find(nobody) == std::string::npos, a.failures[1]);
}

TEST_CASE("without a key nobody comes in") {
  Side a([](auto& options) { options.key = {}; });
  Side b;
  REQUIRE(a.open());
  REQUIRE(b.open());

  a.transport->dial({b.address(), ""});

  CHECK(until([&] { return a.failed.size() == 1; }, {&a, &b}));
  // Where `a` hangs up before `b` has read that it has no key, `b` cannot say more than that.
  const auto refused = [&] { return b.refused("no_key") + b.refused("handshake"); };
  CHECK(until([&] { return refused() == 1; }, {&a, &b}));
  CHECK(b.ups.empty());
  CHECK(b.log.count("wants keys") + b.log.count("hung up") == 1);
}

TEST_CASE("a key that is trusted no longer loses its session and does not come in again") {
  Pair pair;
  pair.b.trust.list.clear();
  pair.b.transport->trust_changed();

  REQUIRE(pair.run([&] { return pair.b.downs.size() == 1 && pair.a.downs.size() == 1; }));
  CHECK(pair.b.downs[0].second.code == Errc::Refused);
  REQUIRE(pair.a.last<wire::Broken>() != nullptr);
  CHECK(pair.a.last<wire::Broken>()->error.code == Errc::Refused);

  pair.a.dial(pair.b);
  CHECK(pair.run([&] { return pair.a.failed.size() == 1; }));
  CHECK(pair.b.refused("revoked") == 1);
  CHECK(pair.b.refused("untrusted") == 1);

  pair.b.trusts(pair.a);
  pair.b.transport->trust_changed();
  pair.link();
  CHECK(pair.b.ups.size() == 2);
}

TEST_CASE("the listener's key is revoked at the dialler: its session ends, too") {
  Pair pair;
  pair.a.trust.list.clear();
  pair.a.transport->trust_changed();

  CHECK(pair.run([&] { return pair.b.downs.size() == 1 && pair.a.downs.size() == 1; }));
  CHECK(pair.a.downs[0].second.code == Errc::Refused);
}

TEST_CASE("who calls itself by another's id is refused, by the listener and by the dialler") {
  Side a;
  Side b;
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());
  wire::LinkHello other = a.hello();
  other.node_id = node_id_of_key(make_curve_key().public_key);

  SUBCASE("the dialler lies") {
    a.greets = false;
    a.dial(b);
    REQUIRE(until([&] { return a.ups.size() == 1; }, {&a, &b}));
    a.send(other);
    REQUIRE(until([&] { return a.last<wire::Broken>() != nullptr; }, {&a, &b}));
    CHECK(a.last<wire::Broken>()->error.code == Errc::Refused);
    CHECK(b.refused("wrong_id") == 1);
    CHECK(b.ups.empty());
    CHECK(b.downs.empty());
  }
  SUBCASE("the listener lies") {
    a.dial(b);
    REQUIRE(until([&] { return b.ups.size() == 1; }, {&a, &b}));
    b.send(other);
    REQUIRE(until([&] { return a.downs.size() == 1; }, {&a, &b}));
    CHECK(a.downs[0].second.code == Errc::Refused);
    CHECK(a.refused("wrong_id") == 1);
  }
}

TEST_CASE("bytes that are no frame end their session, and no other") {
  Pair pair;
  const auto answer = [&](const std::function<void(RawNode&)>& say) {
    RawNode raw(pair.b);
    const std::uint64_t ups = pair.b.ups.size();
    wire::LinkHello hello = pair.a.hello();
    hello.node_id = raw.id;
    raw.send(wire::encode_link(hello));
    REQUIRE(pair.run([&] { return pair.b.ups.size() > ups; }));
    const std::uint64_t downs = pair.b.downs.size();
    say(raw);
    std::string code;
    CHECK(pair.run([&] {
      if (code.empty()) code = raw.error();
      return pair.b.downs.size() > downs && !code.empty();
    }));
    CHECK(pair.b.downs.back().second.code != Errc::Unreachable);
    return code;
  };

  CHECK(answer([](RawNode& raw) { raw.send(""); }) == "protocol");
  CHECK(answer([](RawNode& raw) { raw.send("\xC1"); }) == "protocol");
  CHECK(answer([](RawNode& raw) { raw.send("\x92\x48\x01"); }) == "protocol");
  CHECK(answer([](RawNode& raw) { raw.send(wire::encode_link(wire::Stop{1}) + "x"); }) ==
        "protocol");
  CHECK(answer([](RawNode& raw) { raw.send_parts(wire::encode_link(wire::Stop{1}), "x"); }) ==
        "protocol");
  CHECK(pair.b.refused("malformed") == 5);
  CHECK(answer([](RawNode& raw) { raw.send(std::string(wire::kLinkFrameBytesMax + 1, 'x')); }) ==
        "too_large");
  CHECK(pair.b.refused("too_large") == 1);

  pair.a.send(wire::Stop{99});
  CHECK(pair.run([&] { return pair.b.stops == std::vector<std::uint64_t>{99}; }));
  CHECK(pair.a.downs.empty());
}

TEST_CASE("a frame far over the limit is not taken in: its connection is cut") {
  Pair pair;
  RawNode raw(pair.b);
  wire::LinkHello hello = pair.a.hello();
  hello.node_id = raw.id;
  raw.send(wire::encode_link(hello));
  REQUIRE(pair.run([&] { return pair.b.ups.size() == 2; }));

  raw.send(std::string(3 * wire::kLinkFrameBytesMax, 'x'));

  REQUIRE(pair.run([&] { return pair.b.downs.size() == 1; }));
  CHECK(pair.b.downs[0].first == pair.b.ups[1].id);
  CHECK(pair.b.downs[0].second.code == Errc::Unreachable);
}

TEST_CASE("who does not begin with HELLO has no session") {
  Pair pair;
  RawNode raw(pair.b);
  raw.send(wire::encode_link(wire::Stop{1}));

  std::string code;
  CHECK(pair.run([&] { return !(code = raw.error()).empty(); }));

  CHECK(code == "protocol");
  CHECK(pair.b.refused("no_hello") == 1);
  CHECK(pair.b.ups.size() == 1);
  CHECK(pair.b.downs.empty());
}

TEST_CASE("a listener that never answers HELLO is given up") {
  Side a([](auto& options) { options.handshake_max = 500ms; });
  Side b;
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  REQUIRE(b.open());
  a.dial(b);

  REQUIRE(until([&] { return a.downs.size() == 1; }, {&a, &b}));

  CHECK(a.downs[0].second.code == Errc::TimedOut);
}

TEST_CASE("of connections that say nothing the oldest go when they are many") {
  Side b([](auto& options) { options.unknown_sessions_max = 2; });
  REQUIRE(b.open());
  MuteCaller first(b.address());
  MuteCaller second(b.address());
  MuteCaller third(b.address());

  CHECK(until([&] { return first.cut(); }, {&b}));
  CHECK(until([&] { return b.refused("too_many") == 1; }, {&b}));
  CHECK_FALSE(second.cut());
  CHECK_FALSE(third.cut());
}

TEST_CASE("a connection that says nothing goes after a while, and makes room for others") {
  Side b([](auto& options) {
    options.unknown_sessions_max = 1;
    options.handshake_max = 200ms;
  });
  REQUIRE(b.open());
  MuteCaller mute(b.address());

  CHECK(until([&] { return mute.cut(); }, {&b}));
  CHECK(until([&] { return b.refused("silent") == 1; }, {&b}));

  Side a;
  a.trusts(b);
  b.trusts(a);
  REQUIRE(a.open());
  a.dial(b);
  CHECK(until([&] { return b.ups.size() == 1; }, {&a, &b}));
}

TEST_CASE("no more sessions than there may be") {
  Side a;
  Side b([](auto& options) { options.sessions_max = 1; });
  Side c;
  a.trusts(b);
  c.trusts(b);
  b.trusts(a);
  b.trusts(c);
  for (Side* const side : {&a, &b, &c}) REQUIRE(side->open());
  a.dial(b);
  REQUIRE(until([&] { return b.ups.size() == 1; }, {&a, &b, &c}));

  c.dial(b);
  REQUIRE(until([&] { return c.last<wire::Broken>() != nullptr; }, {&a, &b, &c}));

  CHECK(c.last<wire::Broken>()->error.code == Errc::Overloaded);
  CHECK(b.refused("too_many") == 1);
  CHECK(b.downs.empty());
}

TEST_CASE("plain links stay on this machine, unless it is said that they may not") {
  Side beyond([](auto& options) {
    options.key = {};
    options.listen = {"tcp://0.0.0.0:0"};
  });
  const auto refused = beyond.open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::Config);
  CHECK(refused.error().message.find("mesh.key_file") != std::string::npos);

  beyond.options.insecure = true;
  CHECK(beyond.open());
  CHECK(beyond.log.count("links are plain") == 1);

  Side a([](auto& options) { options.key = {}; });
  REQUIRE(a.open());
  CHECK(a.log.all.empty());
  a.transport->dial({"tcp://192.0.2.1:7400", ""});
  CHECK(until([&] { return a.failed.size() == 1; }, {&a}));
  CHECK(a.refused("plain") == 1);
}

TEST_CASE("plain links work on loopback and prove nobody's id") {
  Side a([](auto& options) { options.key = {}; });
  Side b([](auto& options) { options.key = {}; });
  REQUIRE(a.open());
  REQUIRE(b.open());
  a.transport->dial({b.address(), ""});

  REQUIRE(until([&] { return b.ups.size() == 1; }, {&a, &b}));

  CHECK(b.ups[0].proven_id.empty());
  CHECK(b.ups[0].key.empty());
}

TEST_CASE("a listener that lets a stranger in does not start") {
  Side open_to_all;
  open_to_all.trust.everybody = true;

  const auto status = open_to_all.open();

  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::Refused);
  CHECK(status.error().message.find("self-test") != std::string::npos);
}

TEST_CASE("without a list of trusted keys nobody comes in") {
  Side b([](auto& options) { options.trust = nullptr; });
  Side a;
  a.trusts(b);
  REQUIRE(a.open());
  REQUIRE(b.open());

  a.dial(b);

  CHECK(until([&] { return a.failed.size() == 1; }, {&a, &b}));
  CHECK(b.ups.empty());
}

TEST_SUITE_END();
