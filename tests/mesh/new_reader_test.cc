// Where a reader begins that has only a time, in a copy that is there already.

#include <doctest/doctest.h>

#include "tests/mesh/map_record.h"
#include "tests/mesh/one_node.h"

namespace marram::mesh {

namespace {

using namespace std::chrono_literals;

const LogId kLog{"origin", "1-x", "events"};
const LogRecord kCopy{.no = 1, .id = kLog, .head = 20, .whole_from = 1};

// A node that carries the stream, and has a copy up to 20; its reader came a moment ago.
struct NewReader : OneNode {
  explicit NewReader() : OneNode({.carry = {"events"}}, {kCopy}) {
    mesh->put_interest({1, "new", false, {{"#", {wire::Begin::At::Time, 0, now.wall}}}, {}}, now,
                       out);
    origin = greet("origin");
    say(origin, wire::State{{}, {record_of_origin(kLog)}});
    run(1s);
  }
  // All that there is up to there, of which nothing is new.
  void answer(std::uint64_t upto) {
    const auto wants = said<wire::Want>(origin);
    REQUIRE(!wants.empty());
    say(origin, wire::Upto{wants.back().number, 20, upto});
    run(100ms);
  }
  void find(std::uint64_t seq) {
    mesh->on_time_found(asked().back(), seq, now, out);
    run(100ms);
  }
  std::vector<Token> asked() const {
    std::vector<Token> tokens;
    for (const Action& action : out) {
      if (const auto* const find = std::get_if<FindSeq>(&action)) tokens.push_back(find->token);
    }
    return tokens;
  }
  std::optional<std::uint64_t> begins_after() const {
    for (const Action& action : out) {
      if (const auto* const readable = std::get_if<Readable>(&action)) return readable->after;
    }
    return {};
  }

  SessionId origin = 0;
};

TEST_SUITE_BEGIN("mesh/new_reader");

TEST_CASE("a new reader begins behind what was recorded before it came") {
  NewReader node;
  node.answer(20);
  REQUIRE(node.asked().size() == 1);
  CHECK_FALSE(node.begins_after());

  node.find(21);

  CHECK(node.begins_after() == 20);
}

TEST_CASE("a new reader begins with the first event that was recorded since") {
  NewReader node;
  REQUIRE(node.asked().size() == 1);

  node.find(15);

  CHECK(node.begins_after() == 14);
}

TEST_CASE("what comes late and was recorded before a reader came is not new to it") {
  NewReader node;
  node.say(node.origin, wire::Have{{{kLog, 1, 30, {}}}});
  node.answer(20);
  node.find(21);
  REQUIRE_FALSE(node.begins_after());

  node.answer(30);
  for (const Action& action : std::exchange(node.out, {})) {
    const auto* const write = std::get_if<WriteCopy>(&action);
    if (write == nullptr) continue;
    LogRecord copy = kCopy;
    copy.head = 30;
    node.mesh->on_copied(copy, node.now, node.out);
    node.mesh->on_written(write->token, 1U, node.now, node.out);
  }
  node.run(100ms);
  REQUIRE(node.asked().size() == 1);
  node.find(31);

  CHECK(node.begins_after() == 30);
}

TEST_CASE("a new reader waits half a minute for what others may still have") {
  NewReader node;
  node.find(21);
  REQUIRE_FALSE(node.begins_after());

  node.run(31s);

  CHECK(node.begins_after() == 20);
}

// The first event of the copy is at 2.
TEST_CASE("what a peer asks for from a time on is answered by a copy that begins before that") {
  const auto answer = [](std::uint64_t found) {
    OneNode node({}, {{.no = 1, .id = kLog, .first = 2, .head = 9, .whole_from = 2}});
    const SessionId peer = node.greet("peer");
    const wire::Begin since{wire::Begin::At::Time, 0, node.now.wall - 1h};
    node.say(
        peer,
        wire::Want{
            .number = 1, .log = kLog, .kind = wire::WantKind::Backfill, .from = since, .to = 6});
    std::vector<Token> looked;
    for (const Action& action : node.out) {
      if (const auto* const find = std::get_if<FindSeq>(&action)) looked.push_back(find->token);
    }
    REQUIRE(looked.size() == 1);
    node.mesh->on_time_found(looked[0], found, node.now, node.out);
    node.tick();
    return node.said<wire::Upto>(peer);
  };

  const auto nothing = answer(8);
  REQUIRE(nothing.size() == 1);
  CHECK(nothing[0].after == 6);
  CHECK(answer(2).empty());
}

TEST_SUITE_END();

}  // namespace

}  // namespace marram::mesh
