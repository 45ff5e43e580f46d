#include "core/mesh/membership.h"

#include <doctest/doctest.h>

#include <map>

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

TEST_SUITE_BEGIN("mesh/membership");

TEST_CASE("a seed is dialled at once, and again with a growing pause") {
  Membership membership({.node_id = "a", .seeds = {"tcp://b:1"}});
  CHECK(dialled(membership, kStart).size() == 1);
  CHECK(dialled(membership, kStart).empty());

  TimePoint now = kStart;
  Duration last{};
  for (int i = 0; i < 12; ++i) {
    membership.on_failed("tcp://b:1", now);
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
  membership.on_down("b", kStart);
  CHECK(dialled(membership, kStart + 1s).size() == 1);
}

TEST_CASE("peers that others tell of are dialled while there is no link, and expire") {
  Membership membership({.node_id = "a", .expire = 1h});
  membership.learn({"c", "", {"tcp://c:1"}, 0s}, kStart);
  membership.learn({"old", "", {"tcp://old:1"}, 2h}, kStart);
  membership.learn({"a", "", {"tcp://me:1"}, 0s}, kStart);

  CHECK(dialled(membership, kStart) == std::vector<std::string>{"tcp://c:1"});
  membership.on_failed("tcp://c:1", kStart);
  CHECK(dialled(membership, kStart + 2h).empty());
  CHECK(membership.records(kStart + 2h, 10).empty());
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
  membership.on_failed("tcp://me:1", kStart);

  CHECK(dialled(membership, kStart + 60s).empty());
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
