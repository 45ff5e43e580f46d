// Readers of logs that others write: what they may read, and in which order.
#include <map>

#include "core/delivery/consumer.h"
#include "tests/node/fake_store.h"

namespace marram::test {

namespace {

constexpr std::uint64_t kAll = Consumer::kNoLimit;

// A node in a mesh: the test is the mesh.
class MeshNode : public FakeNode, public InterestSink {
 public:
  MeshNode() : FakeNode({}, 16, true) { broker->set_interests(*this); }
  void restart() {
    broker.reset();
    interests.clear();
    start();
    broker->set_interests(*this);
  }

  std::map<std::uint64_t, mesh::Interest> interests;
  std::map<std::uint32_t, std::uint64_t> moved;  // cursors

  void put_interest(mesh::Interest interest) override {
    interests[interest.id] = std::move(interest);
  }
  void drop_interest(std::uint64_t id) override { interests.erase(id); }
  void move_cursor(std::uint64_t, std::uint32_t log, std::uint64_t upto) override {
    moved[log] = upto;
  }

  // A stretch of log `no` of origin "b": its events are "topic", a gap is "", what nobody
  // here wanted is "-".
  void copy(std::uint32_t no, const std::vector<std::string>& stretch) {
    clock.advance(1ms);
    LogRecord log{.no = no, .id = {"b", std::to_string(no) + "-y", "events"}};
    log.head = store.events[no].size();
    log.first = log.head + 1;
    if (log.head == 0) broker->on_log_opened(log);
    log.first = 1;
    const auto batch = std::make_shared<EventBatch>();
    std::vector<Gap> gaps;
    for (const std::string& topic : stretch) {
      store.events[no].push_back({topic, clock.wall_time});
      const std::uint64_t seq = store.events[no].size();
      if (topic.empty()) gaps.push_back({no, seq, seq, "lost"});
      if (!topic.empty() && topic != "-") store.add(*batch, no, seq);
    }
    log.head = store.events[no].size();
    if (!batch->empty()) broker->on_committed(batch);
    broker->on_copied(log, gaps);
  }
  void readable(std::uint32_t log, std::uint64_t after, std::uint64_t upto) {
    REQUIRE(!interests.empty());
    broker->on_readable(
        {.interest = interests.rbegin()->first, .log = log, .after = after, .upto = upto});
    run();
  }
};

std::string text(const wire::Begin& begin) {
  if (begin.at == wire::Begin::At::Head) return "head";
  if (begin.at == wire::Begin::At::Seq) return "seq " + std::to_string(begin.seq);
  return "time " + std::to_string(begin.time.time_since_epoch().count());
}

}  // namespace

TEST_SUITE_BEGIN("node/copies");

TEST_CASE("a copy is read as far as the mesh says, then live") {
  MeshNode node;
  node.open({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}});
  node.run();
  node.copy(7, {"a", "b", "a"});
  node.run();
  CHECK(node.words() == "opened");

  node.readable(7, 0, 2);
  CHECK(node.words() == "7/1");

  node.readable(7, 0, kAll);
  CHECK(node.words() == "7/3");
  const std::size_t reads = node.store.reads.size();
  node.copy(7, {"a", "-", "a"});
  node.run();
  CHECK(node.words() == "7/4 7/6");
  CHECK(node.store.reads.size() == reads);
}

TEST_CASE("where a reader begins in a copy the mesh says, once") {
  MeshNode node;
  node.copy(7, {"a", "a", "a", "a"});
  node.open({.filters = {"a"}, .name = "c"});
  node.run();

  node.readable(7, 2, kAll);
  node.readable(7, 0, kAll);

  CHECK(node.words() == "opened 7/3 7/4");
}

TEST_CASE("a reader that is stopped in a copy goes on where it was, without repeats") {
  MeshNode node;
  node.open({.filters = {"a"}});
  node.run();
  node.copy(7, {"a"});
  node.readable(7, 0, kAll);
  CHECK(node.words() == "opened 7/1");

  node.readable(7, 0, 1);
  node.copy(7, {"a", "a"});
  node.run();
  CHECK(node.words() == "");

  node.readable(7, 0, kAll);
  CHECK(node.words() == "7/2 7/3");
}

TEST_CASE("a gap in a copy is told in its place, without a look at the disk") {
  MeshNode node;
  node.open({.filters = {"a"}});
  node.run();
  node.copy(7, {"a"});
  node.readable(7, 0, kAll);
  CHECK(node.words() == "opened 7/1");

  node.copy(7, {"a", "", "", "a"});
  node.run();

  std::vector<Notice> notices;
  REQUIRE(node.inbox->take(notices));
  REQUIRE(notices.size() == 4);
  CHECK(std::get<Delivered>(notices[0]).indices.size() == 1);
  CHECK(std::get<Skipped>(notices[1]).gap.from == 3);
  CHECK(std::get<Skipped>(notices[2]).gap.to == 4);
  CHECK(std::get<Skipped>(notices[2]).gap.reason == "lost");
  CHECK(std::get<Delivered>(notices[3]).indices.size() == 1);
  CHECK(node.store.reads.empty());
}

TEST_CASE("what is filled in behind the head is read from the disk, not from memory") {
  MeshNode node;
  node.open({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}});
  node.run();
  node.copy(7, {"-", "a", "a"});
  node.store.events[7][0].topic = "a";  // filled in
  LogRecord log{.no = 7, .id = {"b", "7-y", "events"}, .first = 1, .head = 3};
  node.broker->on_backfilled(log);

  node.readable(7, 0, kAll);

  CHECK(node.words() == "opened 7/1 7/2 7/3");
}

TEST_CASE("the mesh is told what readers want, from where, and that they are gone") {
  MeshNode node;
  const WallTime made = node.clock.wall_time;
  const SubscriptionId live = node.open({.filters = {"a", "b/#"}});
  node.run();
  REQUIRE(node.interests.size() == 1);
  const mesh::Interest first = node.interests.begin()->second;
  CHECK(!first.durable);
  REQUIRE(first.filters.size() == 2);
  CHECK(text(first.filters[1].from) == "time " + std::to_string(made.time_since_epoch().count()));
  node.broker->close_subscription(live);
  CHECK(node.interests.empty());

  node.open({.filters = {"a"}, .name = "c", .start = Start{.at = Start::At::Seq, .seq = 5}});
  node.run(true);
  CHECK(node.interests.empty());  // it is not on disk yet
  node.run();
  REQUIRE(node.interests.size() == 1);
  const mesh::Interest second = node.interests.begin()->second;
  CHECK(second.durable);
  CHECK(second.name == "c");
  CHECK(text(second.filters[0].from) == "seq 5");
}

TEST_CASE("a filter that is added counts from then on in copies as well") {
  MeshNode node;
  node.commit(1, {"a"});
  const SubscriptionId id = node.open({.filters = {"a"}, .name = "c"});
  node.run();

  node.broker->change(id, {"a", "b"}, "");
  node.run();

  const mesh::Interest changed = node.interests.begin()->second;
  REQUIRE(changed.filters.size() == 2);
  CHECK(text(changed.filters[0].from) == "seq 1");
  CHECK(text(changed.filters[1].from).starts_with("time "));
}

TEST_CASE("cursors in copies are told as they reach the disk, and again after a restart") {
  MeshNode node;
  const SubscriptionId id = node.open({.filters = {"a"}, .name = "c"});
  node.run();
  node.copy(7, {"a", "a", "a"});
  node.readable(7, 0, kAll);
  const std::vector<Position> two = {Position(7, 1), Position(7, 2)};
  node.broker->settle(id, two, Settle::Ack, {});
  node.run();
  REQUIRE(!node.store.saves.empty());
  CHECK(node.moved.empty());

  const std::vector<CursorMove> saved = node.store.saves.back();
  node.broker->on_cursors_saved(saved);
  CHECK(node.moved[7] == 2);

  node.store.records.at(1).cursors[7] = 2;
  node.restart();
  node.run();
  REQUIRE(node.interests.size() == 1);
  CHECK(node.interests.begin()->second.cursors.at(7) == 2);
  node.words();
  node.open({.filters = {"a"}, .name = "c"});
  node.readable(7, 0, kAll);
  CHECK(node.words() == "opened 7/3");
}

TEST_CASE("a log of an earlier run waits for the mesh, and may grow from what peers have") {
  MeshNode node;
  node.commit(1, {"a"});
  node.restart();
  node.open({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}});
  node.run();
  CHECK(node.words() == "opened");
  node.readable(1, 0, kAll);
  CHECK(node.words() == "1/1");

  node.copy(1, {"a"});
  node.run();

  CHECK(node.words() == "1/2");
}

TEST_CASE("a newer run is read when the older one is whole") {
  MeshNode node;
  node.open({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}});
  node.run();
  node.copy(7, {"a", "a"});
  node.copy(8, {"a"});
  node.readable(8, 0, kAll);
  node.readable(7, 0, 1);
  CHECK(node.words() == "opened 7/1");

  node.readable(7, 0, kAll);

  CHECK(node.words() == "7/2 8/1");
}

TEST_CASE("a newer run does not wait for ever for an older one, nor again for the same") {
  MeshNode node;
  node.open({.filters = {"a"}, .start = Start{.at = Start::At::Earliest}, .ack_wait = 0s});
  node.run();
  node.copy(7, {"a", "a"});
  node.copy(8, {"a"});
  node.readable(7, 0, 1);
  node.readable(8, 0, kAll);
  CHECK(node.words() == "opened 7/1");

  node.pass(29s);
  CHECK(node.words() == "");
  node.pass(2s);
  CHECK(node.words() == "8/1");
  node.copy(8, {"a"});
  node.run();
  CHECK(node.words() == "8/2");
  node.readable(7, 0, kAll);
  CHECK(node.words() == "7/2");
}

TEST_CASE("a forgotten log is forgotten by its readers too") {
  MeshNode node;
  node.open({.filters = {"a"}});
  node.run();
  node.copy(7, {"-"});
  node.readable(7, 0, kAll);
  REQUIRE(node.broker->logs().find(7) != nullptr);

  node.broker->on_log_forgotten(7);
  node.run();

  CHECK(node.broker->logs().find(7) == nullptr);
  node.copy(8, {"a"});
  node.readable(8, 0, kAll);
  CHECK(node.words() == "opened 8/1");
}

TEST_SUITE_END();

}  // namespace marram::test
