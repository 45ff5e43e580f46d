#include <doctest/doctest.h>

#include "tests/wire/sample_link_frames.h"

TEST_SUITE_BEGIN("wire/link_refusals");

using namespace marram;

namespace {

std::string answer(std::string_view bytes, const Limits& limits = {}) {
  wire::LinkDecoder decoder{limits};
  const auto frame = decoder.decode(bytes);
  return frame ? "accepted" : frame.error().message;
}

std::string answer(const wire::LinkFrame& frame, const Limits& limits = {}) {
  return answer(wire::encode_link(frame), limits);
}

bool has(const std::string& text, std::string_view part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

wire::Data data_of(std::uint64_t after, std::uint64_t upto, std::vector<std::uint64_t> seqs) {
  wire::Data data{.want = 1, .after = after, .upto = upto};
  data.batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  for (const std::uint64_t seq : seqs) {
    data.batch->add(Event{.topic = "a"}, "", test::at(5), ids);
    data.batch->events().back().position = Position(0, seq);
  }
  return data;
}

}  // namespace

TEST_CASE("a frame of a link is refused wherever it is cut, and with a byte behind it") {
  for (const auto& [name, bytes] : test::sample_link_frames()) {
    CAPTURE(name);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK(answer(std::string_view(bytes).substr(0, size)) != "accepted");
    }
    CHECK(answer(bytes) == "accepted");
    CHECK(has(answer(bytes + '\x00'), "bytes behind the end"));
  }
}

TEST_CASE("a changed byte never breaks the decoder of links") {
  wire::LinkDecoder decoder{Limits{}};
  for (const auto& [name, bytes] : test::sample_link_frames()) {
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const int with : {0x00, 0x01, 0x7F, 0x90, 0xC0, 0xC6, 0xDD, 0xFF}) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(with);
        accepted += decoder.decode(changed).has_value() ? 1 : 0;
      }
    }
    CAPTURE(name);
    CHECK(accepted < bytes.size() * 8);
  }
}

TEST_CASE("no frame may be larger than a link's limit, whatever it is") {
  wire::LinkDecoder decoder{Limits{}};
  const std::string most(wire::kLinkFrameBytesMax + 1, '\xC0');

  const auto frame = decoder.decode(most);

  REQUIRE_FALSE(frame.has_value());
  CHECK(frame.error().code == Errc::TooLarge);
  CHECK(frame.error().message == "wire: a frame of a link has 1048577 bytes, over 1048576");
}

TEST_CASE("announced lengths that are not there are refused, and nothing is set aside for them") {
  for (const char* frame : {"\x92\x42\xDD\xFF\xFF\xFF\xFF", "\x92\x42\xDC\xFF\xFF\x90",
                            "\x92\x4B\xDB\xFF\xFF\xFF\xFF", "\x92\x4C\xC6\xFF\xFF\xFF\xFF"}) {
    CHECK(has(answer(frame), "wire: a frame of"));
  }
}

TEST_CASE("verbs of clients and unknown ones are refused, from 128 on they are Unknown") {
  wire::LinkDecoder decoder{Limits{}};

  for (const auto& [name, bytes] : test::sample_frames()) {
    const auto verb = static_cast<unsigned char>(bytes[1]);
    const bool shared = verb >= 3 && verb <= 6;
    CAPTURE(name);
    CHECK((answer(bytes) == "accepted") == shared);
  }
  CHECK(has(answer("\x91\x4D"), "verb 77 is none of a link"));
  const auto later = decoder.decode("\x92\xCC\x81\xC0");
  REQUIRE(later.has_value());
  CHECK(std::get<wire::Unknown>(*later).verb == 129);
  CHECK(wire::encode_link(*later).empty());
}

TEST_CASE("a client that calls at a link is told that it is no node") {
  const wire::Hello hello{.name = "sensor", .instance = "c0ffee"};

  CHECK(has(answer(encode(hello)), "role is not \"node\""));
}

TEST_CASE("elements that a later version appends are passed over, in frames and in entries") {
  std::string credit = wire::encode_link(wire::Credit{1});
  credit[0] = '\x94';
  credit += std::string("\xA1x\x92\x01\x91\xC0", 6);
  // [66, [["o", "e", "s", 1, 0, nil, "later"], ["o", "e", "t", 1, 0, nil]]]
  const std::string have =
      "\x92\x42\x92\x97\xA1o\xA1"
      "e\xA1s\x01" +
      std::string(1, '\0') +
      "\xC0\xA5later\x96\xA1o\xA1"
      "e\xA1t\x01" +
      std::string(1, '\0') + "\xC0";
  wire::LinkDecoder decoder{Limits{}};

  CHECK(answer(credit) == "accepted");
  const auto frame = decoder.decode(have);
  if (!frame) FAIL(frame.error().message);
  REQUIRE(std::get<wire::Have>(*frame).logs.size() == 2);
  CHECK(std::get<wire::Have>(*frame).logs[1].log.stream == "t");
}

TEST_CASE("an entry cannot borrow elements from what follows it") {
  // [70, "s", [["origin"]], "epoch"]
  const std::string release =
      "\x94\x46\xA1s\x91\x91\xA6origin\xA5"
      "epoch";

  CHECK(has(answer(release), "logs has 1 elements, not 2 to 1024"));
}

TEST_CASE("events outside of what DATA says it brings, or out of order, are refused") {
  CHECK(answer(data_of(4, 9, {5, 7, 9})) == "accepted");
  CHECK(has(answer(data_of(4, 9, {4})), "seq is 4, not 5 to 9"));
  CHECK(has(answer(data_of(4, 9, {5, 10})), "seq is 10, not 6 to 9"));
  CHECK(has(answer(data_of(4, 9, {5, 5})), "seq is 5, not 6 to 9"));
  CHECK(has(answer(data_of(4, 9, {7, 6})), "seq is 6, not 8 to 9"));
  CHECK(has(answer(data_of(9, 4, {5})), "seq is 5, not 10 to 4"));
  CHECK(has(answer(data_of(4, 9, {})), "events has 0 elements, not 1 to 4096"));
}

TEST_CASE("more events than one DATA may bring are refused") {
  std::vector<std::uint64_t> seqs;
  for (std::uint64_t seq = 1; seq <= wire::kLinkEventsMax; ++seq) seqs.push_back(seq);
  CHECK(answer(data_of(0, 5000, seqs)) == "accepted");

  seqs.push_back(seqs.size() + 1);

  CHECK(has(answer(data_of(0, 5000, seqs)), "events has 4097 elements"));
}

TEST_CASE("an event without an id is refused: each node would make another one") {
  wire::Data data = data_of(4, 9, {5});
  data.batch->events().front().uuid = {};

  CHECK(has(answer(std::move(data)), "event id is missing"));
}

TEST_CASE("stretches that end before they begin are refused") {
  const LogId log = test::sample_log();

  CHECK(answer(wire::Upto{1, 5, 5}) == "accepted");
  CHECK(has(answer(wire::Upto{1, 5, 4}), "upto is below 5"));
  CHECK(has(answer(wire::LinkGap{1, 5, 4, "lost"}), "from is 5, not 1 to 4"));
  CHECK(has(answer(wire::LinkGap{1, 0, 4, "lost"}), "from is 0, not 1 to 4"));
  CHECK(answer(wire::Have{{{log, 5, 4, ""}}}) == "accepted");
  CHECK(has(answer(wire::Have{{{log, 6, 4, ""}}}), "first is 6, not 1 to 5"));
  CHECK(has(answer(wire::Have{{{log, 0, 4, ""}}}), "first is 0, not 1 to 5"));
}

TEST_CASE("a seq that no log can reach is refused everywhere") {
  const std::uint64_t most = wire::kSeqMax;
  const LogId log = test::sample_log();
  CHECK(answer(wire::Upto{1, most, most}) == "accepted");
  CHECK(answer(wire::Have{{{log, most + 1, most, ""}}}) == "accepted");
  CHECK(has(answer(wire::Upto{1, most, most + 1}), "upto is 1099511627776, over 1099511627775"));
  CHECK(has(answer(wire::Ack{{{log, most + 1, 0}}}), "acked is"));
  CHECK(has(answer(wire::Held{"alarms", {{log, most + 1}}}), "acked is"));
}

TEST_CASE("a part that goes beyond its event, or an event beyond the limits, is refused") {
  Limits small;
  small.payload_bytes_max = 1000;
  const std::uint64_t most = wire::event_bytes_max(small);

  CHECK(answer(wire::Part{1, 4, 5, 0, most, "abc"}, small) == "accepted");
  CHECK(has(answer(wire::Part{1, 4, 5, 0, most + 1, "abc"}, small), "total is"));
  CHECK(has(answer(wire::Part{1, 4, 5, 8, 10, "abc"}), "offset is 8: 3 bytes from there"));
  CHECK(has(answer(wire::Part{1, 4, 5, UINT64_MAX, 10, "abc"}), "offset is"));
  CHECK(has(answer(wire::Part{1, 5, 5, 0, 10, "abc"}), "upto is not above 5"));
  CHECK(has(answer(wire::Part{1, 4, 5, 0, 10, ""}), "bytes has 0 bytes, not 1 to 65536"));
  CHECK(has(answer(wire::Part{1, 4, 5, 0, 70'000, std::string(65'537, 'x')}), "bytes has 65537"));
}

TEST_CASE("bytes that are no packed event are refused, and the batch stays as it was") {
  const EventBatch sample = test::sample_batch();
  const std::string packed = wire::pack_event(sample.events()[1]);
  wire::LinkDecoder decoder{Limits{}};
  EventBatch batch;

  for (std::size_t size = 0; size < packed.size(); ++size) {
    CHECK_FALSE(decoder.unpack_event(std::string_view(packed).substr(0, size), batch));
  }
  CHECK_FALSE(decoder.unpack_event(packed + packed, batch));
  CHECK_FALSE(decoder.unpack_event(wire::encode_link(test::sample_data()), batch));
  CHECK(batch.empty());
  CHECK(decoder.unpack_event(packed, batch));
}

TEST_CASE("names, keys, addresses and reasons have their limits") {
  const std::string longest(wire::kIdBytesMax, 'x');
  const std::string over = longest + 'x';
  wire::LinkHello hello = test::sample_link_hello();
  wire::PeerRecord peer{test::kNodeA, "", {}, {}};

  CHECK(answer(wire::Held{longest, {}}) == "accepted");
  CHECK(has(answer(wire::Held{over, {}}), "stream has 257 bytes, over 256"));
  CHECK(has(answer(wire::Held{"", {}}), "stream is empty"));
  CHECK(has(answer(wire::LinkGap{1, 1, 1, over}), "reason has 257 bytes"));
  CHECK(has(answer(wire::Bye{{Errc::Closed, std::string(5000, 'x')}}), "error message"));
  hello.node_id = "";
  CHECK(has(answer(hello), "node id is empty"));
  hello = test::sample_link_hello();
  hello.name = over;
  CHECK(has(answer(hello), "name is too long"));
  peer.key = std::string(41, 'x');
  CHECK(has(answer(wire::Peers{{peer}}), "key has 41 bytes, over 40"));
  peer.key = "";
  peer.addresses = std::vector<std::string>(9, "tcp://a:1");
  CHECK(has(answer(wire::Peers{{peer}}), "addresses has 9 elements, not 0 to 8"));
}

// They come into logs, into JSON and onto terminals.
TEST_CASE("texts that are no printable UTF-8 are refused, wherever they stand") {
  for (const std::string bad : {"a\xff", "a\x1b[2J", "a\nb"}) {
    CAPTURE(bad);
    wire::LinkHello hello = test::sample_link_hello();
    hello.name = bad;
    const wire::MapRecord named{.node_id = "n", .number = 1, .name = bad};
    const wire::OpenLog open{"1-x", "s", {bad}, Durability::Fsync, Priority::Normal};
    const wire::MapRecord writes{.node_id = "n", .number = 1, .open = {open}};
    const wire::PeerRecord peer{test::kNodeA, "", {bad}, {}};

    CHECK(has(answer(hello), "name is no printable UTF-8"));
    CHECK(has(answer(wire::State{{}, {named}}), "name is no printable UTF-8"));
    CHECK(has(answer(wire::State{{}, {writes}}), "topics is no printable UTF-8"));
    CHECK(has(answer(wire::Peers{{peer}}), "address is no printable UTF-8"));
    CHECK(has(answer(wire::Held{bad, {}}), "stream is no printable UTF-8"));
    CHECK(has(answer(wire::LinkGap{1, 1, 1, bad}), "reason is no printable UTF-8"));
  }
}

TEST_CASE("durations that would run over the clock are refused") {
  wire::LinkHello hello = test::sample_link_hello();
  hello.silent_after = Duration::max();
  const wire::PeerRecord old{test::kNodeA, "", {}, Duration::max()};

  CHECK(has(answer(hello), "silent_after is too long"));
  CHECK(has(answer(wire::Peers{{old}}), "age is"));
}

TEST_CASE("counts of a map record and of a want are limited one by one") {
  wire::MapRecord record = test::sample_record();
  wire::Want want = test::sample_want();

  record.neighbours.resize(wire::kNeighboursMax + 1, {"n", 1});
  CHECK(has(answer(wire::State{{}, {record}}), "neighbours has 2049 elements"));
  record.neighbours = {{"n", 0}};
  CHECK(has(answer(wire::State{{}, {record}}), "cost is 0"));
  record.neighbours = {{"n", 65'536}};
  CHECK(has(answer(wire::State{{}, {record}}), "cost is 65536, over 65535"));
  record = test::sample_record();
  record.open.resize(wire::kOpenLogsMax + 1, record.open[1]);
  CHECK(has(answer(wire::State{{}, {record}}), "open logs has 1025 elements"));
  record = test::sample_record();
  record.open[0].topics.resize(wire::kStreamTopicsMax + 1, "a");
  CHECK(has(answer(wire::State{{}, {record}}), "topics has 65 elements"));
  record = test::sample_record();
  record.copies.resize(wire::kCopiesMax + 1, record.copies[0]);
  CHECK(has(answer(wire::State{{}, {record}}), "copies has 4097 elements"));
  want.all = false;
  want.filters.resize(wire::kLinkFiltersMax + 1, "a");
  CHECK(has(answer(want), "filters has 1001 elements"));
}

TEST_CASE("entries over the count of one frame are refused") {
  std::vector<wire::AckEntry> acks(wire::kLogsPerFrameMax + 1, {{"o", "e", "s"}, 1, 1});
  std::vector<wire::PeerRecord> peers(wire::kPeersPerFrameMax + 1, {"n", "", {}, {}});
  std::vector<wire::KnownRecord> known(wire::kKnownPerFrameMax + 1, {"n", 1});

  CHECK(has(answer(wire::Ack{acks}), "logs has 1025 elements, not 0 to 1024"));
  CHECK(has(answer(wire::Peers{peers}), "peers has 257 elements, not 0 to 256"));
  CHECK(has(answer(wire::State{known, {}}), "known has 16385 elements, not 0 to 16384"));
}

TEST_CASE("kinds that this version does not know are refused") {
  wire::Want want = test::sample_want();
  wire::MapRecord record = test::sample_record();

  want.kind = static_cast<wire::WantKind>(3);
  CHECK(has(answer(want), "kind is 3, over 2"));
  want = test::sample_want();
  want.from.at = static_cast<wire::Begin::At>(3);
  CHECK(answer(want) != "accepted");
  record.open[0].priority = static_cast<Priority>(3);
  CHECK(has(answer(wire::State{{}, {record}}), "priority is 3, over 2"));
}

TEST_SUITE_END();
