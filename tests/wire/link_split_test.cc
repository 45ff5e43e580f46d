#include "core/wire/link_split.h"

#include <doctest/doctest.h>

#include "core/wire/link_codec.h"

TEST_SUITE_BEGIN("wire/link_split");

using namespace marram;

namespace {

// What a receiver makes of it.
std::vector<wire::LinkFrame> received(const wire::LinkFrame& frame) {
  const auto all = wire::encode_in_frames(frame);
  REQUIRE(all);
  wire::LinkDecoder decoder{Limits{}};
  std::vector<wire::LinkFrame> out;
  for (const std::string& bytes : *all) {
    REQUIRE(bytes.size() <= wire::kLinkFrameBytesMax);
    auto decoded = decoder.decode(bytes);
    if (!decoded) FAIL(decoded.error().message);
    out.push_back(std::move(*decoded));
  }
  return out;
}

// With names as long as they may be.
LogId long_log(std::size_t number) {
  std::string epoch = std::to_string(number);
  epoch.resize(wire::kIdBytesMax, '-');
  return {std::string(wire::kIdBytesMax, 'o'), std::move(epoch),
          std::string(wire::kIdBytesMax, 's')};
}

wire::MapRecord record(std::size_t number, std::size_t copies) {
  wire::MapRecord record{.node_id = std::to_string(number), .number = 1};
  for (std::size_t i = 0; i < copies; ++i) record.copies.push_back({long_log(i), 1, 1});
  return record;
}

}  // namespace

TEST_CASE("a frame that fits stays one") {
  CHECK(received(wire::Stop{7}).size() == 1);
  CHECK(received(wire::Release{"events", {}}).size() == 1);
}

TEST_CASE("as many logs as there may be cross, whatever their names") {
  wire::Have have;
  for (std::size_t i = 0; i < wire::kLogsPerFrameMax; ++i) {
    have.logs.push_back({long_log(i), 1, i + 1, std::string(wire::kIdBytesMax, 'e')});
  }

  std::vector<std::uint64_t> heads;
  const auto frames = received(have);
  for (const auto& frame : frames) {
    for (const auto& entry : std::get<wire::Have>(frame).logs) heads.push_back(entry.upto);
  }

  CHECK(frames.size() == 2);
  REQUIRE(heads.size() == wire::kLogsPerFrameMax);
  for (std::size_t i = 0; i < heads.size(); ++i) CHECK(heads[i] == i + 1);
}

TEST_CASE("records that are too many for one frame go in several, what is known before them") {
  wire::State state{{{"a", 1}, {"b", 2}}, {}};
  for (std::size_t i = 0; i < 5; ++i) state.records.push_back(record(i, 500));

  const auto frames = received(state);

  CHECK(std::get<wire::State>(frames.front()).known.size() == 2);
  std::vector<std::string> nodes;
  for (const auto& frame : frames) {
    for (const auto& one : std::get<wire::State>(frame).records) nodes.push_back(one.node_id);
  }
  CHECK(nodes == std::vector<std::string>{"0", "1", "2", "3", "4"});
}

TEST_CASE("of more known records than one frame takes the first are told") {
  wire::State state;
  for (std::size_t i = 0; i < wire::kKnownPerFrameMax; ++i) {
    state.known.push_back({std::string(wire::kIdBytesMax, 'n'), i});
  }

  const auto frames = received(state);

  REQUIRE(frames.size() == 1);
  const auto& known = std::get<wire::State>(frames[0]).known;
  REQUIRE(known.size() > 1000);
  CHECK(known.front().number == 0);
  CHECK(known.back().number + 1 == known.size());
}

TEST_CASE("one entry that is too large is refused, not sent") {
  const auto frames = wire::encode_in_frames(wire::State{{}, {record(1, 2000)}});

  REQUIRE_FALSE(frames);
  CHECK(frames.error().code == Errc::TooLarge);
}

TEST_SUITE_END();
