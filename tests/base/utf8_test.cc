#include "core/base/utf8.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace marram;

namespace {

// The bytes of one code point, by the table of RFC 3629, section 3.
std::string encoded(char32_t point) {
  const auto byte = [](char32_t value) { return static_cast<char>(value); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | point >> 6), byte(0x80 | (point & 0x3F))};
  if (point < 0x10000) {
    return {byte(0xE0 | point >> 12), byte(0x80 | (point >> 6 & 0x3F)),
            byte(0x80 | (point & 0x3F))};
  }
  return {byte(0xF0 | point >> 18), byte(0x80 | (point >> 12 & 0x3F)),
          byte(0x80 | (point >> 6 & 0x3F)), byte(0x80 | (point & 0x3F))};
}

}  // namespace

TEST_SUITE_BEGIN("base/utf8");

TEST_CASE("every code point but the surrogates reads back") {
  std::size_t wrong = 0;
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    const std::string text = encoded(point);
    std::size_t at = 0;
    const auto read = next_code_point(text, at);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    const bool right = surrogate ? !read && at == 0 : read == point && at == text.size();
    wrong += right ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("overlong, cut off, stray and too large sequences are no UTF-8") {
  for (const char* text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xBF", "\xFE", "\xFF",
        "\xC3", "\xE2\x82", "\xF0\x9F\x92", "\xC3\x28", "\xE2\x28\xA1", "\xED\xA0\x80"}) {
    CAPTURE(printable(text));
    std::size_t at = 0;
    CHECK(!next_code_point(text, at));
    CHECK(at == 0);
    CHECK(find_unprintable(std::string("ok") + text) == 2U);
  }
}

TEST_CASE("control characters are found and replaced, other text is left alone") {
  CHECK(!find_unprintable("gr\xC3\xBC\xC3\x9F dich, \xF0\x9F\x8C\xBE"));
  CHECK(find_unprintable("a\nb") == 1U);
  CHECK(find_unprintable("a\x7F") == 1U);
  CHECK(find_unprintable("\xC2\x9B[2J") == 0U);
  CHECK(!find_unprintable("\xC2\xA0"));
  CHECK(find_unprintable(std::string_view("a\0b", 3)) == 1U);
  CHECK(printable("a\nb\xFF\xC2\x9B\xC3\xBC") == "a?b??\xC3\xBC");
}

TEST_CASE("words of others are quoted, and cut between characters") {
  CHECK(in_quotes("a\n\"b\" \\") == "\"a?\\\"b\\\" \\\\\"");
  CHECK(in_quotes("") == "\"\"");
  CHECK(in_quotes("abc", 3) == "\"abc\"");
  CHECK(in_quotes("abcd", 3) == "\"abc\"...");
  CHECK(in_quotes("gr\xC3\xBC\xC3\x9F", 5) == "\"gr\xC3\xBC\"...");
  CHECK(in_quotes(std::string(5000, 'x')).size() == 205);
}

TEST_CASE("what has been made printable is printable") {
  const bool holds = rc::check([](const std::string& text) {
    RC_ASSERT(!find_unprintable(printable(text)));
    if (!find_unprintable(text)) RC_ASSERT(printable(text) == text);
  });
  CHECK(holds);
}
