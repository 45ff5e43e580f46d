// One value of the configuration as text, number, size, duration, choice, secret.
//
// Messages say what it must be and what it is, without place and key:
// "must be text in quotes, not an integer".  An override's text is taken as
// what is asked for.
//
// Errors of all: Config
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "gateway/cli/config_value.h"
#include "gateway/cli/secret.h"

namespace marram::cli {

Result<std::string> parse_text(const ConfigValue& value);
Result<std::vector<std::string>> parse_texts(const ConfigValue& value);
Result<bool> parse_boolean(const ConfigValue& value);
Result<std::size_t> parse_integer(const ConfigValue& value, std::size_t least, std::size_t most);
Result<std::size_t> parse_size(const ConfigValue& value, std::size_t least);
Result<double> parse_share_value(const ConfigValue& value);
Result<Duration> parse_duration_value(const ConfigValue& value);
Result<std::size_t> parse_choice(const ConfigValue& value,
                                 std::span<const std::string_view> choices);
Result<Secret> parse_secret(const ConfigValue& value, bool text_too);

// As parse_size() and parse_duration_value() read them: "256MiB" in quotes, 90s.
std::string size_text(std::size_t bytes);
std::string exact_duration_text(Duration duration);

}  // namespace marram::cli
