// "did you mean": the known word that is nearest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace marram::cli {

// Insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

// Empty when nothing is near: at most a third of the word may differ, one letter always.
std::string_view nearest(std::string_view word, std::span<const std::string> known);

}  // namespace marram::cli
