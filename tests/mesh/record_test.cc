#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/mesh/mesh.h"
#include "core/wire/link_split.h"

TEST_SUITE_BEGIN("mesh/record");

using namespace marram;

namespace {

const std::string kNode(32, 'a');

// A node with as many streams, of topics as long, as a configuration may have.
StreamTable many_streams(std::size_t count) {
  std::vector<StreamOptions> streams;
  for (std::size_t i = 0; i < count; ++i) {
    StreamOptions stream{.name = fmt::format("stream-{}", i)};
    for (std::size_t j = 0; j < wire::kStreamTopicsMax; ++j) {
      stream.topics.push_back(fmt::format("{}/{}/{}", i, j, std::string(900, 't')));
    }
    streams.push_back(std::move(stream));
  }
  return StreamTable::make(std::move(streams), Durability::Fsync).value();
}

std::vector<LogRecord> open_logs(const StreamTable& streams) {
  std::vector<LogRecord> logs;
  for (const StreamOptions& stream : streams.streams()) {
    LogRecord log{.no = static_cast<std::uint32_t>(logs.size()), .id = {kNode, "1-x", stream.name}};
    log.open = true;
    logs.push_back(std::move(log));
  }
  return logs;
}

}  // namespace

TEST_CASE("a node's own record fits into one frame; topics that are too many are left out") {
  constexpr std::size_t kStreams = 100;
  const StreamTable streams = many_streams(kStreams);
  const mesh::Now now{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::hours(1))};
  mesh::Mesh node({.node_id = kNode, .instance = "i", .streams = streams}, open_logs(streams), {},
                  now);
  mesh::Actions out;

  node.on_tick(now, out);

  REQUIRE(node.map().size() == 1);
  const wire::MapRecord record = node.map().front();
  REQUIRE(record.open.size() == kStreams + 1);
  CHECK(record.open.front().topics.size() == wire::kStreamTopicsMax);
  CHECK(record.open[kStreams - 1].topics.empty());
  const auto frames = wire::encode_in_frames(wire::State{{}, {record}});
  REQUIRE(frames);
  CHECK(frames->size() == 1);
}

TEST_SUITE_END();
