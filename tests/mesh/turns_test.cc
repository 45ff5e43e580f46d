// What is said of a log that waits for its turn on a busy link.

#include <doctest/doctest.h>

#include "core/wire/link_codec.h"
#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("mesh/turns");

// A slow link is busy with large events of one log; of another one a new event waits.
struct Busy : OneNode {
  Busy() : OneNode({}, {own(1, "large", 8), own(2, "small", 3)}), peer(greet("peer")) {
    say(peer, wire::State{{}, {record("peer", 1, {{"node", 1}, {"other", 1}})}});
    say(peer,
        wire::Want{.number = 1, .log = own(2, "small", 3).id, .all = true, .from = {.seq = 4}});
    say(peer,
        wire::Want{.number = 3, .log = own(1, "large", 8).id, .all = true, .from = {.seq = 1}});
    run(100ms);
    std::optional<Token> asked;
    for (const Action& action : out) {
      if (const auto* const read = std::get_if<ReadEvents>(&action)) asked = read->token;
    }
    REQUIRE(asked);
    mesh->on_read(*asked, large(), now, out);
    const Head head{2, 4, "e-4"};
    mesh->on_committed({&head, 1}, now, out);
  }
  static LogRecord own(std::uint32_t no, const std::string& stream, std::uint64_t head) {
    LogRecord log{.no = no, .id = {"node", "1-x", stream}, .open = true, .head = head};
    log.head_id = "e-" + std::to_string(head);
    return log;
  }
  // More than is read ahead for one peer.
  static ReadResult large() {
    auto batch = std::make_unique<EventBatch>();
    UuidMaker ids;
    const std::string payload(600'000, 'x');
    for (std::uint64_t seq = 1; seq <= 8; ++seq) {
      EventView event;
      event.topic = "t";
      event.payload = payload;
      event.position = Position(1, seq);
      batch->add(event, WallTime(), ids);
    }
    return ReadResult{std::move(batch), 8, {}, 1};
  }
  // The peer takes what is sent, 16 kB of it a second.
  void pass(Duration time) {
    for (const TimePoint end = now.steady + time; now.steady < end;) {
      std::uint64_t taken = 0;
      for (const auto& part : said<wire::Part>(peer))
        taken += wire::kFrameCredit + part.bytes.size();
      taken += said<wire::Upto>(peer).size() * wire::kFrameCredit;
      say(peer, wire::Credit{(1 << 20) + std::min(taken, carried += 4000)});
      run(250ms);
    }
  }
  std::size_t told(std::uint64_t want) {
    const auto frames = said<wire::Upto>(peer);
    return static_cast<std::size_t>(std::count_if(
        frames.begin(), frames.end(), [&](const wire::Upto& upto) { return upto.want == want; }));
  }

  SessionId peer;
  std::uint64_t carried = 0;
};

TEST_CASE("who waits for a log behind large events of another hears every two seconds of it") {
  Busy node;
  const std::size_t before = node.told(1);

  node.pass(5s);

  CHECK(node.told(1) - before == 2);
  CHECK(node.said<wire::Upto>(node.peer).back().upto == 3);
  CHECK(node.said<wire::Part>(node.peer).size() > 2);
}

TEST_CASE("within a large event nothing else is said of its log") {
  Busy node;

  node.pass(5s);

  CHECK(node.told(3) == 0);
}

TEST_CASE("who waits for a large event hears of it while it crosses the link before") {
  const std::vector<LogId> ids{{"origin", "1-x", "alarms"}, {"origin", "1-x", "events"}};
  OneNode node({}, {{.no = 1, .id = ids[0], .head = 3, .whole_from = 1},
                    {.no = 2, .id = ids[1], .head = 3, .whole_from = 1}});
  const SessionId origin = node.greet("origin");
  const SessionId peer = node.greet("peer");
  wire::MapRecord one = record("origin", 1, {{"node", 1}});
  for (const LogId& id : ids)
    one.open.push_back({id.epoch, id.stream, {}, Durability::Fsync, Priority::Normal});
  node.say(origin, wire::State{{}, {one}});
  node.say(peer, wire::State{{}, {record("peer", 1, {{"node", 1}, {"other", 1}})}});
  for (const std::uint64_t want : {1, 3}) {
    node.say(peer,
             wire::Want{.number = want, .log = ids[want / 2], .all = true, .from = {.seq = 4}});
  }
  node.run(1s);
  std::uint64_t asked = 0;
  for (const wire::Want& want : node.said<wire::Want>(origin)) {
    node.say(origin, wire::Upto{want.number, 3, 3});
    if (want.log == ids[1]) asked = want.number;
  }
  node.out.clear();

  for (std::uint64_t at = 0; at < 20; ++at) {
    node.say(origin, wire::Part{asked, 3, 4, at * 1000, 100'000, std::string(1000, 'x')});
    node.run(500ms);
  }

  const auto frames = node.said<wire::Upto>(peer);
  const auto told = std::count_if(frames.begin(), frames.end(), [](const wire::Upto& upto) {
    return upto.want == 3 && upto.upto == 3;
  });
  CHECK(told >= 4);
  CHECK(told <= 6);
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
