#include <doctest/doctest.h>

#include "tests/store/committer_fixture.h"

namespace marram::test {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

TEST_SUITE_BEGIN("store/retention");

namespace {

StreamOptions alarms() { return {.name = "alarms", .topics = {"alarm/#"}}; }

StreamOptions aged(Duration age) {
  StreamOptions stream = alarms();
  stream.retain.age = age;
  return stream;
}

}  // namespace

TEST_CASE("history goes when it is older than the stream keeps it") {
  TempDir directory;
  CommitterFixture store(options_in(directory, {aged(hours(1))}));
  store.submit(10, "alarm/1");
  store.rest(minutes(59));
  store.submit(5, "alarm/1");
  store.submit(5, "other");
  CHECK(store.log(1).first == 1);

  store.rest(minutes(2));

  CHECK(store.log(1).first == 11);
  CHECK(store.log(1).bytes == 5 * (16 + 7 + 64));
  CHECK(store.log(2).first == 1);
  const auto trims = store.listener.told().trims;
  REQUIRE(trims.size() == 1);
  CHECK(trims[0].first == 11);
  CHECK_FALSE(trims[0].owed);
  CHECK(trims[0].gap.reason == "retention");
  store.rest(hours(2));
  CHECK(store.log(1).first == 16);
  CHECK(store.log(1).bytes == 0);
  CHECK(store.board.status().dropped.empty());
}

TEST_CASE("what a durable consumer has not had does not go for its age") {
  TempDir directory;
  CommitterFixture store(options_in(directory, {aged(hours(1))}));
  const auto no = store.put_consumer("c", {{"alarm/7", {}}});
  store.put_consumer("elsewhere", {{"plant/#", {}}});
  store.submit(10, "alarm/1");

  store.rest(hours(2));
  CHECK(store.log(1).first == 1);
  store.move(no, 1, 4);
  store.rest(milliseconds(2000));
  CHECK(store.log(1).first == 5);
  store.run(store::RemoveConsumerCommand{no, [](const Status&) {}});
  store.rest(milliseconds(2000));

  CHECK(store.log(1).first == 11);
}

TEST_CASE("a consumer that comes back after 30 days holds again from its first move on") {
  TempDir directory;
  CommitterFixture store(options_in(directory, {aged(hours(1))}));
  const auto no = store.put_consumer("c", {{"#", {}}});
  store.submit(10'000, "alarm/1");
  store.clock.pass(hours(24 * 31));
  store.committer->tend(true);  // one stretch: nobody holds anything
  CHECK(store.log(1).first == 4097);

  store.run(store::SaveCursorsCommand{{{no, 1, 5000}}});
  store.rest(milliseconds(50));

  CHECK(store.log(1).first == 5001);
}

TEST_CASE("a consumer that nobody has used for 30 days holds nothing") {
  TempDir directory;
  CommitterFixture store(options_in(directory, {aged(hours(1))}));
  store.put_consumer("c", {{"#", {}}});
  store.submit(10, "alarm/1");

  store.rest(hours(24 * 30) - hours(1));
  CHECK(store.log(1).first == 1);
  store.rest(hours(2));

  CHECK(store.log(1).first == 11);
}

TEST_CASE("a moving cursor is a sign of life") {
  TempDir directory;
  CommitterFixture store(options_in(directory, {aged(hours(1))}));
  const auto no = store.put_consumer("c", {{"#", {}}});
  store.submit(10, "alarm/1");
  store.rest(hours(24 * 29));
  store.move(no, 1, 2);

  store.rest(hours(24 * 29));

  CHECK(store.log(1).first == 3);
}

TEST_CASE("history goes when its stream has more bytes than it keeps, over all its logs") {
  TempDir directory;
  StreamOptions stream = alarms();
  stream.retain.bytes = 50'000;
  {
    CommitterFixture store(options_in(directory, {stream}));
    store.submit(100, "alarm/1", 1000 - 64 - 7);
    store.committer->close();
  }
  CommitterFixture store(options_in(directory, {stream}));
  store.submit(20, "alarm/1", 1000 - 64 - 7);

  store.rest(milliseconds(2000));

  CHECK(store.log(1).first == 71);
  CHECK(store.log(1).bytes == 30'000);
  CHECK(store.log(2).bytes == 20'000);
}

TEST_CASE("ttl takes what is owed too, and leaves a gap that is counted") {
  TempDir directory;
  StreamOptions stream = alarms();
  stream.ttl = minutes(10);
  CommitterFixture store(options_in(directory, {stream}));
  const auto no = store.put_consumer("c", {{"#", {}}});
  store.submit(10, "alarm/1");
  store.move(no, 1, 3);

  store.rest(minutes(11));

  CHECK(store.log(1).first == 11);
  CHECK(store.board.status().dropped == std::map<std::string, std::uint64_t>{{"ttl", 7}});
  const auto trims = store.listener.told().trims;
  REQUIRE(trims.size() == 2);
  CHECK_FALSE(trims[0].owed);
  CHECK(trims[0].gap.to == 3);
  CHECK(trims[1].owed);
  CHECK(trims[1].gap.from == 4);
  store.submit(1, "alarm/1");
  const auto read = store.read({.log = 1, .after = 1, .filters = {}});
  REQUIRE(read);
  CHECK(read->batch->size() == 1);
  REQUIRE(read->gaps.size() == 2);
  CHECK(read->gaps[0].reason == "retention");
  CHECK(read->gaps[0].from == 2);
  CHECK(read->gaps[0].to == 3);
  CHECK(read->gaps[1].reason == "ttl");
  CHECK(read->gaps[1].from == 4);
  CHECK(read->gaps[1].to == 10);
}

TEST_CASE("many events go in stretches, and gaps of one reason are one") {
  TempDir directory;
  StreamOptions stream = alarms();
  stream.ttl = minutes(10);
  CommitterFixture store(options_in(directory, {stream}));
  store.put_consumer("c", {{"#", {}}});
  for (int i = 0; i < 10; ++i) store.submit(1000, "alarm/1");

  store.rest(minutes(11));

  CHECK(store.listener.told().trims.size() > 1);
  const auto file = directory / "data/marram.db";
  CHECK(sql(file, "SELECT * FROM gap") == std::vector<std::string>{"1|1|10000|ttl"});
  CHECK(sql(file, "SELECT count(*) FROM event") == std::vector<std::string>{"0"});
}

TEST_CASE("an empty closed log is forgotten, but not while somebody is to be told of a gap") {
  TempDir directory;
  StreamOptions stream = alarms();
  stream.ttl = minutes(10);
  std::uint32_t no = 0;
  {
    CommitterFixture store(options_in(directory, {stream}));
    no = store.put_consumer("c", {{"#", {}}});
    store.submit(10, "alarm/1");
    store.rest(minutes(11));
    store.committer->close();
  }
  {
    CommitterFixture store(options_in(directory, {stream}));
    CHECK(store.board.logs().size() == 1);
    CHECK(store.log(1).first == 11);
    store.move(no, 1, 10);
    store.committer->close();
  }

  CommitterFixture store(options_in(directory, {stream}));

  CHECK(store.board.logs().empty());
  CHECK(store.committer->consumers().at(0).cursors.empty());
  CHECK(store.submit(1, "alarm/1").batch->events()[0].position == Position(2, 1));
}

TEST_SUITE_END();

}  // namespace marram::test
