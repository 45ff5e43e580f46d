#include "core/mesh/beacons.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{100s};

wire::PeerRecord at(const std::string& node_id, const std::string& address) {
  return {node_id, node_id + "'s key", {address}, {}};
}

// One node's beacons in virtual time; what it says to do.
struct Lan {
  explicit Lan(Beacons::Options options = {}) {
    options.on = true;
    options.node_id = "me";
    beacons.emplace(std::move(options));
  }
  void tick() {
    Actions out;
    const auto reaches = [&](const std::string& id) { return reached.contains(id); };
    const auto dials = [&](const std::string& address) { return busy.contains(address); };
    beacons->on_tick(now, {reaches, dials, linked}, out);
    for (const Action& action : out) {
      if (const auto* const dial = std::get_if<Dial>(&action)) dialled.push_back(*dial);
      if (const auto* const send = std::get_if<SendBeacon>(&action)) {
        sent.push_back(now - kStart);
        asked += send->asks ? 1 : 0;
      }
      found += std::holds_alternative<Report>(action) ? 1 : 0;
    }
  }
  // As a loop would, for so long.
  void run(Duration time) {
    const TimePoint end = now + time;
    tick();
    while (*beacons->wake_at() <= end) {
      now = std::max(now, *beacons->wake_at());
      tick();
    }
    now = end;
  }
  void hear(const std::string& node_id, const std::string& address, bool asks = false) {
    beacons->on_heard(at(node_id, address), asks, now);
    tick();
  }
  void fail_all() {
    for (const Dial& dial : std::exchange(dialled, {})) beacons->on_failed(dial.address, now);
    tick();
  }
  std::size_t heard() const {
    std::vector<HeardStatus> all;
    beacons->add_status(all);
    return all.size();
  }

  TimePoint now = kStart;
  std::set<std::string> reached;
  std::set<std::string> busy;
  bool linked = false;
  std::vector<Dial> dialled;
  std::vector<Duration> sent;
  int asked = 0;
  int found = 0;
  std::optional<Beacons> beacons;
};

}  // namespace

TEST_SUITE_BEGIN("mesh/beacons");

TEST_CASE("a node is heard soon after its start, and then every few seconds") {
  Lan lan;
  lan.run(60s);

  REQUIRE(lan.sent.size() > 12);
  CHECK(lan.sent[0] == 0s);
  CHECK(lan.sent[1] == 1s);
  CHECK(lan.sent[2] == 2s);
  for (std::size_t i = 3; i < lan.sent.size(); ++i) {
    CHECK(lan.sent[i] - lan.sent[i - 1] >= 3750ms);
    CHECK(lan.sent[i] - lan.sent[i - 1] <= 5s);
  }
}

TEST_CASE("a node without the beacon says nothing and dials nobody") {
  Beacons beacons({.on = false, .node_id = "me"});
  beacons.on_heard(at("b", "tcp://10.0.0.2:1"), true, kStart);
  Actions out;
  beacons.on_tick(kStart + 10s, {}, out);

  CHECK(out.empty());
  CHECK_FALSE(beacons.wake_at());
}

TEST_CASE("who has no link asks, and is answered soon, but not more than once a second") {
  Lan lan;
  lan.run(10s);
  CHECK(lan.asked == static_cast<int>(lan.sent.size()));

  lan.linked = true;
  lan.asked = 0;
  const std::size_t before = lan.sent.size();
  for (int i = 0; i < 1000; ++i) {
    lan.run(10ms);
    lan.hear("b", "tcp://10.0.0.2:1", true);
  }

  CHECK(lan.asked == 0);
  CHECK(lan.sent[before] - 10s <= 1510ms);
  CHECK(lan.sent.size() - before >= 5);
  CHECK(lan.sent.size() - before <= 11);
}

TEST_CASE("who is heard and not reached is dialled once, with its key, after a moment") {
  Lan lan;
  lan.hear("b", "tcp://10.0.0.2:1");
  CHECK(lan.dialled.empty());

  lan.run(700ms);

  REQUIRE(lan.dialled.size() == 1);
  CHECK(lan.dialled[0].address == "tcp://10.0.0.2:1");
  CHECK(lan.dialled[0].key == "b's key");
  CHECK(lan.found == 1);
  lan.hear("b", "tcp://10.0.0.2:1");
  lan.run(10s);
  CHECK(lan.dialled.size() == 1);
}

TEST_CASE("two islands of a LAN are joined, although each of their nodes has links") {
  Lan lan;
  lan.linked = true;
  lan.reached = {"b", "c"};
  lan.hear("b", "tcp://10.0.0.2:1");
  lan.hear("c", "tcp://10.0.0.3:1");
  lan.run(3s);
  CHECK(lan.dialled.empty());

  lan.hear("d", "tcp://10.0.0.4:1");
  lan.run(3s);

  REQUIRE(lan.dialled.size() == 1);
  CHECK(lan.dialled[0].address == "tcp://10.0.0.4:1");
}

TEST_CASE("who is reached by the map before its turn is not dialled") {
  Lan lan;
  lan.hear("b", "tcp://10.0.0.2:1");
  lan.reached = {"b"};

  lan.run(10s);

  CHECK(lan.dialled.empty());
}

TEST_CASE("of many that are heard at once a few are dialled, until the map has told") {
  Lan lan;
  for (int i = 0; i < 100; ++i) {
    lan.hear("n" + std::to_string(i), "tcp://10.0.1." + std::to_string(i) + ":1");
  }
  lan.run(5s);
  REQUIRE(lan.dialled.size() == 2);

  const auto node_of = [](const Dial& dial) { return dial.key.substr(0, dial.key.find('\'')); };
  lan.beacons->on_up(node_of(lan.dialled[0]), lan.now);
  lan.run(1400ms);
  CHECK(lan.dialled.size() == 2);
  for (int i = 0; i < 100; ++i) lan.reached.insert("n" + std::to_string(i));
  lan.run(10s);

  CHECK(lan.dialled.size() == 2);
}

TEST_CASE("a link that is lost is made again soon while its node is heard") {
  Lan lan;
  lan.reached = {"b"};
  lan.hear("b", "tcp://10.0.0.2:1");
  lan.beacons->on_up("b", lan.now);
  lan.run(10s);
  CHECK(lan.dialled.empty());

  lan.reached.clear();
  lan.beacons->on_down("b", false, lan.now);
  lan.run(700ms);

  CHECK(lan.dialled.size() == 1);
}

TEST_CASE("what comes to nothing is dialled ever more rarely, and others have their turn") {
  Lan lan;
  std::size_t dead = 0;
  std::size_t alive = 0;
  for (int i = 0; i < 600; ++i) {
    lan.hear("dead", "tcp://10.0.0.8:1");
    if (i == 300) lan.hear("b", "tcp://10.0.0.2:1");
    lan.run(1s);
    for (const Dial& dial : lan.dialled) ++(dial.key == "b's key" ? alive : dead);
    lan.fail_all();
  }

  CHECK(dead >= 10);
  CHECK(dead <= 60);
  CHECK(alive >= 5);
}

TEST_CASE("who is refused each time that the link is up is dialled ever more rarely") {
  Lan lan;
  std::size_t dials = 0;
  for (int i = 0; i < 300; ++i) {
    lan.hear("b", "tcp://10.0.0.2:1");
    lan.run(1s);
    if (lan.dialled.empty()) continue;
    dials += std::exchange(lan.dialled, {}).size();
    lan.beacons->on_up("b", lan.now);
    lan.reached = {"b"};
    lan.hear("b", "tcp://10.0.0.2:1");
    lan.reached.clear();
    lan.beacons->on_down("b", true, lan.now);
  }

  CHECK(dials >= 10);
  CHECK(dials <= 30);
}

TEST_CASE("a dial that nobody answers for is given up") {
  Lan lan({.dials_max = 1});
  lan.hear("dead", "tcp://10.0.0.8:1");
  lan.run(1s);
  REQUIRE(lan.dialled.size() == 1);
  for (int i = 0; i < 30; ++i) {
    lan.hear("b", "tcp://10.0.0.2:1");
    lan.run(1s);
  }

  CHECK(lan.dialled.back().address == "tcp://10.0.0.2:1");
}

TEST_CASE("who is heard no more is dialled no more") {
  Lan lan;
  lan.hear("b", "tcp://10.0.0.2:1");
  lan.run(1s);
  REQUIRE(lan.dialled.size() == 1);
  lan.fail_all();
  lan.run(5min);

  CHECK(lan.dialled.size() < 6);
  CHECK(lan.heard() == 0);
  lan.dialled.clear();
  lan.run(5min);
  CHECK(lan.dialled.empty());
}

TEST_CASE("an address that others dial already is left to them") {
  Lan lan;
  lan.busy = {"tcp://10.0.0.2:1"};
  lan.hear("b", "tcp://10.0.0.2:1");
  lan.run(10s);
  CHECK(lan.dialled.empty());

  lan.busy.clear();
  lan.run(10s);
  CHECK(lan.dialled.size() == 1);
}

TEST_CASE("a flood of beacons has its bound, and does not keep the real address from its turn") {
  Lan lan({.nodes_max = 10});
  for (int i = 0; i < 10'000; ++i) {
    lan.beacons->on_heard(at("x" + std::to_string(i), "tcp://10.9.9.9:1"), true, lan.now);
  }
  lan.tick();
  CHECK(lan.heard() == 10);
  lan.run(1min);
  lan.dialled.clear();

  bool real = false;
  for (int i = 0; i < 300 && !real; ++i) {
    lan.hear("b", "tcp://10.0.0.2:1");
    for (int port = 1; port <= 20; ++port) {
      lan.hear("b", "tcp://10.9.9.9:" + std::to_string(port));
    }
    lan.run(1s);
    for (const Dial& dial : lan.dialled) real = real || dial.address == "tcp://10.0.0.2:1";
    lan.fail_all();
  }
  CHECK(real);
}

TEST_CASE("who was not tried yet has its turn before those that came to nothing") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    Lan lan({.dials_max = 1, .random_seed = seed});
    for (int i = 0; i < 120; ++i) {
      for (int dead = 0; dead < 20; ++dead) {
        lan.hear("dead" + std::to_string(dead), "tcp://10.0.1." + std::to_string(dead) + ":1");
      }
      lan.run(500ms);
      lan.fail_all();
    }
    lan.hear("new", "tcp://10.0.0.2:1");
    while (lan.dialled.empty()) lan.run(100ms);
    CHECK(lan.dialled[0].key == "new's key");
  }
}

TEST_CASE("a node's own beacon, and one without an address, are passed over") {
  Lan lan;
  lan.hear("me", "tcp://10.0.0.1:1");
  lan.beacons->on_heard({"b", "key", {}, {}}, false, lan.now);

  CHECK(lan.heard() == 0);
}

TEST_CASE("who was only heard is told to nobody, and who is linked is as any other") {
  OneNode node({.beacon = true});
  node.mesh->on_beacon(at("heard", "tcp://10.0.0.2:1"), false, node.now, node.out);
  const SessionId first = node.greet("first");
  node.run(5s);

  for (const wire::Peers& peers : node.said<wire::Peers>(first)) CHECK(peers.peers.empty());
  const auto heard = node.mesh->status().heard;
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].peer == "heard");
  CHECK_FALSE(heard[0].reached);
  const auto dials = std::count_if(node.out.begin(), node.out.end(), [](const Action& action) {
    return std::holds_alternative<Dial>(action);
  });
  CHECK(dials == 1);

  node.greet("heard");
  node.tick();
  CHECK(node.mesh->status().heard[0].reached);
  node.mesh->revoke("heard", node.now, node.out);
  CHECK(node.mesh->status().heard.empty());
}

TEST_CASE("what a beacon's dial comes to does not change what is known of that address") {
  OneNode node({.beacon = true});
  const SessionId first = node.greet("first");
  node.say(first, wire::Peers{{at("b", "tcp://10.0.0.2:1")}});
  node.mesh->on_beacon(at("b", "tcp://10.0.0.2:1"), false, node.now, node.out);
  node.run(5s);
  REQUIRE(node.dials().size() == 1);
  CHECK_FALSE(node.mesh->dials("tcp://10.0.0.2:1"));
  node.mesh->on_session_up({.id = 77, .dialled = true, .address = "tcp://10.0.0.2:1"}, node.now,
                           node.out);
  node.mesh->on_session_down(77, {Errc::Refused, "no"}, node.now, node.out);

  node.out.clear();
  node.mesh->on_session_down(first, {Errc::Unreachable, "gone"}, node.now, node.out);
  node.tick();

  REQUIRE(node.dials().size() == 1);
  CHECK(node.dials()[0].address == "tcp://10.0.0.2:1");
  CHECK(node.dials()[0].key == "b's key");
  CHECK(node.mesh->dials("tcp://10.0.0.2:1"));
}

TEST_CASE("without links a heard node is dialled beside the seeds") {
  OneNode node({.seeds = {"tcp://seed:1"}, .beacon = true});
  node.mesh->on_beacon(at("b", "tcp://10.0.0.2:1"), false, node.now, node.out);
  node.run(1s);

  std::set<std::string> dialled;
  for (const Action& action : node.out) {
    if (const auto* const dial = std::get_if<Dial>(&action)) dialled.insert(dial->address);
  }
  CHECK(dialled == std::set<std::string>{"tcp://10.0.0.2:1", "tcp://seed:1"});
}

TEST_SUITE_END();

}  // namespace marram::mesh
