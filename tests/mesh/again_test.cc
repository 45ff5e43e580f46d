// Peers that come again: twice at once, started again, or as two.

#include <doctest/doctest.h>

#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;
using What = Report::What;

TEST_SUITE_BEGIN("mesh/again");

TEST_CASE("a peer that was started again takes its old session's place when that is dead") {
  OneNode node;
  const SessionId old = node.greet("peer", "1");
  node.run(1s);
  const SessionId again = node.greet("peer", "2");
  node.run(1s);
  CHECK_FALSE(node.hung_up(old));

  node.run(2s);

  CHECK(node.hung_up(old));
  CHECK_FALSE(node.hung_up(again));
  CHECK(node.reports(What::PeerUp) == 2);
  CHECK(node.reports(What::PeerDown) == 1);
}

TEST_CASE("two new sessions of a peer that was started again: one takes over, once") {
  for (const bool own_is_smaller : {true, false}) {
    CAPTURE(own_is_smaller);
    OneNode node({.node_id = own_is_smaller ? "a" : "z"});
    const SessionId old = node.greet("peer", "1");
    const SessionId theirs = node.greet("peer", "2");
    const SessionId ours = node.greet("peer", "2", true);
    node.run(3s);

    CHECK(node.hung_up(old));
    CHECK(node.hung_up(own_is_smaller ? theirs : ours));
    CHECK_FALSE(node.hung_up(own_is_smaller ? ours : theirs));
    CHECK(node.reports(What::PeerUp) == 2);
    CHECK(node.reports(What::PeerDown) == 1);
    CHECK(node.mesh->status().links.size() == 1);
  }
}

TEST_CASE("a peer that was started again twice is the last one that is alive") {
  OneNode node;
  const SessionId first = node.greet("peer", "1");
  const SessionId second = node.greet("peer", "2");
  node.run(500ms);
  const SessionId third = node.greet("peer", "3");
  // The second one is dead by then: only the third says something.
  for (int i = 0; i < 40; ++i) {
    node.run(200ms);
    if (!node.hung_up(third)) node.say(third, wire::Ping{});
  }

  CHECK(node.hung_up(first));
  CHECK(node.hung_up(second));
  CHECK_FALSE(node.hung_up(third));
  CHECK(node.mesh->status().links.size() == 1);
}

TEST_CASE("what comes while the old session is asked is taken when the new one is the link") {
  OneNode node;
  node.greet("peer", "1");
  const SessionId again = node.greet("peer", "2");
  const LogId log{"origin", "1-x", "events"};
  node.say(again, wire::Want{.number = 1, .log = log, .standing = true});
  CHECK(node.mesh->status().holds.empty());

  node.run(3s);

  CHECK(node.mesh->status().holds.size() == 1);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
