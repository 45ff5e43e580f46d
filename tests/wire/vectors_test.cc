#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <map>

#include "core/wire/beacon.h"
#include "core/wire/decode.h"
#include "core/wire/link_codec.h"
#include "tests/wire/sample_frames.h"
#include "tests/wire/sample_link_frames.h"

TEST_SUITE_BEGIN("wire/vectors");

using namespace marram;

namespace {

// One paragraph of a file in tests/vectors: "# name", the values, the bytes.
struct Vector {
  std::string text;
  std::string hex;
};

std::map<std::string, Vector> read_vectors(const std::string& name) {
  std::map<std::string, Vector> vectors;
  std::ifstream file(std::string(MARRAM_VECTORS) + "/" + name);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("# ")) continue;
    Vector& vector = vectors[line.substr(2)];
    std::getline(file, vector.text);
    std::getline(file, vector.hex);
  }
  return vectors;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return out;
}

std::string show(const wire::Token& token) {
  using Kind = wire::Token::Kind;
  switch (token.kind) {
    case Kind::Nil:
      return "nil";
    case Kind::Flag:
      return token.number != 0 ? "true" : "false";
    case Kind::Number:
      return fmt::format("{}", token.number);
    case Kind::Negative:
      return fmt::format("{}", token.negative);
    case Kind::Text:
      return fmt::format("\"{}\"", std::string_view(token.bytes, token.size));
    case Kind::Bytes:
      return "x'" + hex({token.bytes, token.size}) + "'";
    case Kind::Array:
      return "[";
  }
  return "?";
}

// The values of a frame as the vectors file and docs/wire.md write them.
std::string show(std::string_view frame) {
  wire::Tape tape;
  if (!tape.load(frame)) return "no frame";
  std::string out;
  std::vector<std::size_t> ends;
  const auto& tokens = tape.tokens();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!out.empty() && out.back() != '[') out += ", ";
    out += show(tokens[i]);
    if (tokens[i].kind == wire::Token::Kind::Array) ends.push_back(tokens[i].number);
    while (!ends.empty() && ends.back() == i + 1) {
      out += "]";
      ends.pop_back();
    }
  }
  return out;
}

using NamedFrames = std::vector<std::pair<std::string, std::string>>;

void check_encoded(const NamedFrames& frames, const std::map<std::string, Vector>& vectors) {
  REQUIRE(vectors.size() == frames.size());
  for (const auto& [name, bytes] : frames) {
    CAPTURE(name);
    REQUIRE(vectors.contains(name));
    CHECK(hex(bytes) == vectors.at(name).hex);
    CHECK(show(bytes) == vectors.at(name).text);
  }
}

}  // namespace

TEST_CASE("every verb is encoded as its golden vector says") {
  check_encoded(test::sample_frames(), read_vectors("wire.txt"));
}

TEST_CASE("every golden vector is decoded, and encoded to the same bytes") {
  wire::Decoder decoder{Limits{}};

  for (const auto& [name, vector] : read_vectors("wire.txt")) {
    CAPTURE(name);
    const std::string bytes = unhex(vector.hex);
    const auto frame = decoder.decode(bytes, {});
    if (!frame) FAIL(frame.error().message);
    CHECK(hex(test::encode_again(*frame)) == vector.hex);
  }
}

TEST_CASE("every verb of a link, and a packed event, is encoded as its golden vector says") {
  NamedFrames frames = test::sample_link_frames();
  const EventBatch batch = test::sample_batch();
  frames.emplace_back("packed-event", wire::pack_event(batch.events()[1]));

  check_encoded(frames, read_vectors("link.txt"));
}

TEST_CASE("every golden vector of a link is decoded, and encoded to the same bytes") {
  wire::LinkDecoder decoder{Limits{}};
  auto vectors = read_vectors("link.txt");
  EventBatch batch;

  REQUIRE(decoder.unpack_event(unhex(vectors.at("packed-event").hex), batch));
  CHECK(hex(wire::pack_event(batch.events().front())) == vectors.at("packed-event").hex);
  vectors.erase("packed-event");

  for (const auto& [name, vector] : vectors) {
    CAPTURE(name);
    const std::string bytes = unhex(vector.hex);
    const auto frame = decoder.decode(bytes);
    if (!frame) FAIL(frame.error().message);
    CHECK(hex(wire::encode_link(*frame)) == vector.hex);
  }
}

TEST_CASE("a beacon is encoded as its golden vectors say, and they are decoded") {
  const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
  const auto vectors = read_vectors("beacon.txt");
  check_encoded({{"says", wire::encode_beacon({key, 7400, false})},
                 {"asks", wire::encode_beacon({key, 65'535, true})}},
                vectors);

  for (const auto& [name, vector] : vectors) {
    CAPTURE(name);
    const auto beacon = wire::decode_beacon(unhex(vector.hex));
    REQUIRE((beacon && beacon->has_value()));
    CHECK(hex(wire::encode_beacon(**beacon)) == vector.hex);
  }
}

TEST_SUITE_END();
