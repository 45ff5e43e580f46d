#include "core/mesh/membership.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{100s};

std::vector<std::string> dialled(Membership& membership, TimePoint now) {
  Actions out;
  membership.on_tick(now, out);
  std::vector<std::string> addresses;
  for (const Action& action : out) addresses.push_back(std::get<Dial>(action).address);
  return addresses;
}

// Within a second from then on, in order.
std::vector<std::string> all_dialled(Membership& membership, TimePoint from) {
  std::vector<std::string> all;
  for (TimePoint now = from; now < from + 1s; now += 50ms) {
    for (std::string& address : dialled(membership, now)) all.push_back(std::move(address));
  }
  std::sort(all.begin(), all.end());
  return all;
}

TEST_SUITE_BEGIN("mesh/membership");

TEST_CASE("a seed is dialled at once, and again with a growing pause") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  CHECK(dialled(membership, kStart).size() == 1);
  CHECK(dialled(membership, kStart).empty());

  TimePoint now = kStart;
  Duration last{};
  for (int i = 0; i < 12; ++i) {
    membership.on_failed("tcp://b:1", false, now);
    const TimePoint next = *membership.wake_at();
    last = next - now;
    CHECK(last <= 30s);
    now = next;
    CHECK(dialled(membership, now).size() == 1);
  }
  CHECK(last >= 15s);
}

TEST_CASE("a node that has a link already is left alone, whoever dialled") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  membership.on_up("b", "", {"b", "", {"tcp://b:1"}, {}}, kStart);

  CHECK(dialled(membership, kStart).empty());
  membership.on_down("b", false, kStart);
  CHECK(dialled(membership, kStart + 1s).size() == 1);
}

TEST_CASE("peers that others tell of are dialled while there is no link, and expire") {
  Membership membership({.node_id = "a", .expire = 1h});
  membership.learn({"c", "", {"tcp://c:1"}, 0s}, kStart);
  membership.learn({"old", "", {"tcp://old:1"}, 2h}, kStart);
  membership.learn({"a", "", {"tcp://me:1"}, 0s}, kStart);

  CHECK(dialled(membership, kStart) == std::vector<std::string>{"tcp://c:1"});
  membership.on_failed("tcp://c:1", false, kStart);
  CHECK(dialled(membership, kStart + 2h).empty());
  CHECK(membership.records(kStart + 2h, 10).empty());
}

// A hub with many leaves is gone.
struct Lonely {
  Lonely() : membership({.node_id = "a", .seeds = {"tcp://hub:1"}}) {
    membership.on_up("hub", "tcp://hub:1", {"hub", "", {}, 0s}, now);
    for (int i = 0; i < 50; ++i) {
      const std::string id = "leaf" + std::to_string(i);
      membership.learn({id, "", {"tcp://" + id + ":1"}, 0s}, now);
    }
    membership.on_down("hub", false, now);
  }
  // Who is dialled within some time, other than the hub; they answer, if `answer`.
  std::set<std::string> run(Duration time, bool answer) {
    std::set<std::string> all;
    for (const TimePoint end = now + time; now < end; now += 10ms) {
      for (const std::string& address : dialled(membership, now)) {
        if (address == "tcp://hub:1") {
          membership.on_failed(address, false, now);
          continue;
        }
        all.insert(address);
        const std::string id = address.substr(6, address.size() - 8);
        if (answer) membership.on_up(id, address, {id, "", {address}, 0s}, now);
      }
    }
    return all;
  }

  TimePoint now = kStart;
  Membership membership;
};

TEST_CASE("who has lost its hub dials others until it has a few links, not all") {
  Lonely lonely;
  CHECK(lonely.run(20s, true).size() == 8);

  Lonely unlucky;
  CHECK(unlucky.run(15s, false).size() == 50);  // and goes through all where nobody answers
}

TEST_CASE("who has its hub again dials no others") {
  Lonely lonely;
  CHECK(lonely.run(5020ms, true).size() == 1);
  lonely.membership.on_up("hub", "tcp://hub:1", {"hub", "", {}, 0s}, lonely.now);
  CHECK(lonely.run(20s, true).empty());
}

TEST_CASE("where a node was dialled is passed on when it does not say so itself") {
  Membership membership({.node_id = "a"});
  membership.on_up("b", "tcp://hub:7400", {"b", "", {}, {}}, kStart);
  membership.on_up("c", "tcp://127.0.0.1:7400", {"c", "", {}, {}}, kStart);
  membership.on_up("d", "tcp://d:1", {"d", "", {"tcp://d.example:1"}, {}}, kStart);

  std::map<std::string, std::vector<std::string>> told;
  for (const auto& peer : membership.records(kStart, 10)) told[peer.node_id] = peer.addresses;
  CHECK(told.size() == 2);
  CHECK(told["b"] == std::vector<std::string>{"tcp://hub:7400"});
  CHECK(told["d"] == std::vector<std::string>{"tcp://d.example:1"});
}

TEST_CASE("who is new, or can be dialled elsewhere too, is told of once") {
  Membership membership({.node_id = "a"});
  membership.learn({"c", "", {"tcp://c:1"}, 10s}, kStart);
  REQUIRE(membership.has_news());
  CHECK(membership.take_news(kStart).size() == 1);

  membership.learn({"c", "", {"tcp://c:1"}, 0s}, kStart);
  CHECK_FALSE(membership.has_news());
  membership.learn({"c", "", {"tcp://c:2"}, 0s}, kStart + 1s);
  const auto news = membership.take_news(kStart + 1s);
  REQUIRE(news.size() == 1);
  CHECK(news[0].addresses == std::vector<std::string>{"tcp://c:2", "tcp://c:1"});
  membership.learn({"c", "", {"tcp://c:1"}, 0s}, kStart + 2s);
  CHECK_FALSE(membership.has_news());
}

TEST_CASE("a peer that lives somewhere in the mesh does not expire") {
  Membership membership({.node_id = "a", .expire = 1h});
  membership.learn({"c", "", {"tcp://c:1"}, 0s}, kStart);
  CHECK(dialled(membership, kStart + 59min).size() == 1);
  membership.on_alive("c", kStart + 59min);
  CHECK(membership.records(kStart + 90min, 10).size() == 1);
  membership.on_failed("tcp://c:1", false, kStart + 90min);
  CHECK(dialled(membership, kStart + 91min).size() == 1);
}

TEST_CASE("more peers than the limit are passed over") {
  Membership membership({.node_id = "a", .peers_max = 1});
  membership.learn({"b", "", {"tcp://b:1"}, 0s}, kStart);
  membership.learn({"c", "", {"tcp://c:1"}, 0s}, kStart);

  CHECK(dialled(membership, kStart).size() == 1);
}

TEST_CASE("the node's own address is not dialled twice") {
  Membership membership({.node_id = "a", .seeds = {"tcp://me:1"}});
  CHECK(dialled(membership, kStart).size() == 1);

  membership.on_self("tcp://me:1");
  membership.on_failed("tcp://me:1", false, kStart);

  CHECK(dialled(membership, kStart + 60s).empty());
}

TEST_CASE("where there was a link of late the pause stays short, unless it is refused there") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  TimePoint now = kStart;
  const auto pause_after = [&](bool refused) {
    membership.on_failed("tcp://b:1", refused, now);
    const Duration pause = *membership.wake_at() - now;
    now += pause;
    REQUIRE(dialled(membership, now).size() == 1);
    return pause;
  };
  REQUIRE(dialled(membership, now).size() == 1);
  membership.on_up("b", "tcp://b:1", {"b", "", {}, {}}, now);
  membership.on_down("b", false, now);
  now = *membership.wake_at();
  REQUIRE(dialled(membership, now).size() == 1);

  for (int i = 0; i < 100; ++i) CHECK(pause_after(false) <= 500ms);
  Duration longest{};
  for (int i = 0; i < 12; ++i) longest = std::max(longest, pause_after(true));
  CHECK(longest >= 15s);
}

TEST_CASE("who is refused each time that the link is up is dialled ever more rarely") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  const wire::PeerRecord b{"b", "", {"tcp://b:1"}, {}};
  TimePoint now = kStart;
  const auto link_ends = [&](bool refused, Duration after) {
    CHECK(dialled(membership, now).size() == 1);
    membership.on_up("b", "tcp://b:1", b, now);
    membership.on_down("b", refused, now += after);
    const Duration pause = *membership.wake_at() - now;
    now = *membership.wake_at();
    return pause;
  };

  Duration pause{};
  for (int i = 0; i < 12; ++i) pause = link_ends(true, 10ms);
  CHECK(pause >= 15s);
  CHECK(link_ends(true, 2min) <= 200ms);
  for (int i = 0; i < 12; ++i) pause = link_ends(true, 10ms);
  CHECK(pause >= 15s);
  CHECK(link_ends(false, 10ms) <= 500ms);
  CHECK(link_ends(false, 10ms) <= 200ms);
}

TEST_CASE("after a long time without a link the pause grows as if there had been none") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  membership.on_up("b", "tcp://b:1", {"b", "", {}, {}}, kStart);
  membership.on_down("b", false, kStart);
  TimePoint now = kStart + 11min;

  Duration longest{};
  for (int i = 0; i < 12; ++i) {
    REQUIRE(dialled(membership, now).size() == 1);
    membership.on_failed("tcp://b:1", false, now);
    longest = std::max(longest, *membership.wake_at() - now);
    now = *membership.wake_at();
  }

  CHECK(longest >= 15s);
}

TEST_CASE("a link that is stuck is dialled again beside, until it is no more") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  REQUIRE(dialled(membership, kStart).size() == 1);
  membership.on_up("b", "tcp://b:1", {"b", "", {}, {}}, kStart);
  REQUIRE(dialled(membership, kStart).empty());

  membership.set_stuck("tcp://b:1", true, kStart);
  CHECK(dialled(membership, kStart).size() == 1);
  membership.on_failed("tcp://b:1", false, kStart);
  CHECK(*membership.wake_at() <= kStart + 500ms);
  membership.set_stuck("tcp://b:1", false, kStart);

  CHECK(dialled(membership, kStart + 1s).empty());
}

TEST_CASE("an address that nobody names any more is forgotten when nobody answers there") {
  Membership membership({.node_id = "a"});
  membership.learn({"b", "", {"tcp://b:1"}, 10s}, kStart);
  membership.learn({"b", "", {"tcp://b:2"}, 0s}, kStart);
  REQUIRE(all_dialled(membership, kStart).size() == 2);

  membership.on_failed("tcp://b:1", false, kStart);
  membership.on_failed("tcp://b:2", false, kStart);

  CHECK(dialled(membership, kStart + 60s) == std::vector<std::string>{"tcp://b:2"});
  CHECK(membership.records(kStart, 10)[0].addresses == std::vector<std::string>{"tcp://b:2"});
}

TEST_CASE("what a peer itself names replaces what others said of it, but for seeds") {
  Membership membership({.node_id = "a", .seeds = {"tcp://seed:1"}});
  membership.learn({"b", "", {"tcp://old:1", "tcp://seed:1"}, 0s}, kStart);
  membership.on_up("b", "", {"b", "", {"tcp://new:1"}, {}}, kStart);
  membership.on_down("b", false, kStart);

  const auto addresses = all_dialled(membership, kStart + 60s);

  CHECK(addresses == std::vector<std::string>{"tcp://new:1", "tcp://seed:1"});
}

TEST_CASE("where a link was made of late is dialled again, whatever its node names") {
  Membership membership({.node_id = "a", .expire = 1h});
  membership.learn({"b", "", {"tcp://hub:1"}, 0s}, kStart);
  REQUIRE(dialled(membership, kStart).size() == 1);
  membership.on_up("b", "tcp://hub:1", {"b", "", {"tcp://10.0.0.5:1"}, {}}, kStart);
  CHECK(dialled(membership, kStart + 2h).empty());
  membership.on_down("b", false, kStart + 2h);
  membership.on_failed("tcp://hub:1", false, kStart + 2h);

  CHECK(all_dialled(membership, kStart + 2h + 60s) ==
        std::vector<std::string>{"tcp://10.0.0.5:1", "tcp://hub:1"});
}

TEST_CASE("an address is another node's when that one answers there") {
  Membership membership({.node_id = "a"});
  membership.learn({"old", "old's key", {"tcp://b:1"}, 0s}, kStart);
  Actions out;
  membership.on_tick(kStart, out);
  REQUIRE(std::get<Dial>(out.at(0)).key == "old's key");
  membership.on_failed("tcp://b:1", false, kStart);

  // With the key that was there before nobody answers: any trusted one will do.
  membership.on_tick(kStart + 60s, out);
  CHECK(std::get<Dial>(out.at(1)).key == "");
  membership.on_up("new", "tcp://b:1", {"new", "new's key", {}, {}}, kStart + 60s);
  membership.on_down("new", false, kStart + 60s);
  membership.on_tick(kStart + 120s, out);

  CHECK(std::get<Dial>(out.at(2)).key == "new's key");
}

TEST_CASE("a peer cannot claim where another one has its link") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  membership.on_up("b", "tcp://b:1", {"b", "", {}, {}}, kStart);
  membership.on_up("mallory", "", {"mallory", "", {"tcp://b:1"}, {}}, kStart);

  membership.on_down("b", false, kStart);

  CHECK(dialled(membership, kStart + 60s).size() == 1);
}

TEST_CASE("addresses without end make no table without end") {
  Membership membership({.node_id = "a", .peers_max = 10});
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i % 20);
    const std::string address = "tcp://x:" + std::to_string(i);
    membership.learn({name, "", {address}, 0s}, kStart + i * 1s);
    membership.on_up("up" + name, "", {"up" + name, "", {address + "0"}, {}}, kStart);
    membership.on_down("up" + name, false, kStart);
  }

  CHECK(membership.records(kStart, 1000).size() <= 10);
  CHECK(dialled(membership, kStart + 3000s).size() <= 10 * wire::kAddressesMax);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
