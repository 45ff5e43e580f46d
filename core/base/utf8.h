// UTF-8 as RFC 3629 has it: shortest form, no surrogates, up to U+10FFFF.
//
// Threads: all functions may be called from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace marram {

// The code point at byte `at`, which is moved behind it.  Empty, and `at` stays,
// where the bytes are not UTF-8.  `at` is below the size of `text`.
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at);

// C0, DEL and C1: what could forge a log line or drive a terminal.
bool is_control(char32_t point);

// Control characters are let through.
bool is_utf8(std::string_view text);

// Byte offset of the first byte that is no UTF-8 or begins a control character.
std::optional<std::size_t> find_unprintable(std::string_view text);

// A copy with a '?' for each byte or character that find_unprintable() would find.
std::string printable(std::string_view text);

// printable() between quotes, for messages with words of somebody else: quotes and backslashes
// in it are escaped, and what is beyond `bytes_max` is left out and said so ("..." behind).
std::string in_quotes(std::string_view text, std::size_t bytes_max = 200);

}  // namespace marram
