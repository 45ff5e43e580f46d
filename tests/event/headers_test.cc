#include "core/event/headers.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace marram;

namespace {

std::string packed(const HeaderPairs& headers) { return pack_headers(headers).value(); }

}  // namespace

TEST_SUITE_BEGIN("event/headers");

TEST_CASE("headers are lengths and bytes, big endian") {
  CHECK(packed({}).empty());
  CHECK(packed({{"a", "bc"}, {"", ""}}) == std::string("\0\1a\0\2bc\0\0\0\0", 11));
  CHECK(packed({{"k", std::string(258, 'v')}}).substr(0, 5) == std::string("\0\1k\1\2", 5));
}

TEST_CASE("what is packed reads back, in order, with repeated names") {
  const bool holds = rc::check([](const HeaderPairs& headers) {
    const std::string bytes = packed(headers);
    RC_ASSERT(unpack_headers(bytes) == headers);

    HeaderReader reader(bytes);
    for (const auto& [name, value] : headers) {
      const auto next = reader.next();
      RC_ASSERT(next.has_value());
      RC_ASSERT(next->first == name);
      RC_ASSERT(next->second == value);
    }
    RC_ASSERT(!reader.next().has_value());
    RC_ASSERT(reader.ok());
  });
  CHECK(holds);
}

TEST_CASE("the first header of a name is found") {
  const std::string bytes = packed({{"a", "1"}, {"b", "2"}, {"a", "3"}, {"", "4"}});

  CHECK(find_header(bytes, "a") == "1");
  CHECK(find_header(bytes, "b") == "2");
  CHECK(find_header(bytes, "") == "4");
  CHECK(!find_header(bytes, "c"));
  CHECK(!find_header("", "a"));
}

TEST_CASE("names and values have up to 65,535 bytes") {
  const std::string most(65'535, 'x');
  const std::string more(65'536, 'x');

  CHECK(unpack_headers(packed({{most, most}})) == HeaderPairs{{most, most}});
  CHECK(pack_headers({{more, ""}}).error().code == Errc::TooLarge);
  CHECK(pack_headers({{"", more}}).error().code == Errc::TooLarge);
}

TEST_CASE("a header that is refused leaves what was there") {
  std::string bytes = packed({{"a", "1"}});

  CHECK(!append_header(bytes, "b", std::string(65'536, 'x')));
  CHECK(unpack_headers(bytes) == HeaderPairs{{"a", "1"}});
}

TEST_CASE("every cut in the middle of headers is noticed, and what came before is read") {
  const HeaderPairs headers = {{"ab", "1"}, {"", "23"}};
  const std::string bytes = packed(headers);
  const std::size_t first = 7;

  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    HeaderReader reader(std::string_view(bytes).substr(0, size));
    std::size_t count = 0;
    while (reader.next()) ++count;
    const bool whole = size == 0 || size == first || size == bytes.size();
    CHECK(reader.ok() == whole);
    CHECK(count == (size == bytes.size() ? 2U : size >= first ? 1U : 0U));
    CHECK(!reader.next());
  }
}

TEST_CASE("no bytes lead the reader outside of them") {
  const bool holds = rc::check([](const std::string& bytes) {
    const std::string copy = bytes;
    std::size_t read = 0;
    HeaderReader reader(copy);
    while (const auto header = reader.next()) {
      read += 4 + header->first.size() + header->second.size();
    }
    RC_ASSERT(read <= copy.size());
    RC_ASSERT(reader.ok() == (read == copy.size()));
  });
  CHECK(holds);
}
