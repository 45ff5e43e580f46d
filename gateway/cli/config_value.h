// What a configuration says, before anybody has asked what it means: tables,
// lists and plain values, each with the place it was written at.
//
// A place is text for people: "marram.toml:3:8" (line and column from 1),
// "environment MARRAM_NODE__NAME", "--set node.name".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"

namespace marram::cli {

struct ConfigValue;
struct ConfigEntry;
using ConfigList = std::vector<ConfigValue>;
using ConfigTable = std::vector<ConfigEntry>;  // in the order in which they were written

// Text that an environment variable or --set gave: its reader decides what it is.
struct OverrideText {
  std::string text;
};
// A date or time; no key takes one.
struct ConfigTime {};

struct ConfigValue {
  std::variant<ConfigTable, ConfigList, std::string, std::int64_t, double, bool, ConfigTime,
               OverrideText>
      data;
  std::string place;
  bool from_file = false;  // paths in it are relative to the file's folder

  // "an integer", "a list": what it is, for messages.
  std::string_view kind() const;
  const ConfigValue* find(std::string_view key) const;
  ConfigValue* find(std::string_view key);
};

struct ConfigEntry {
  std::string key;
  std::string place;  // of the key
  ConfigValue value;
};

// Reads TOML; `name` is what places are called.
//
// Errors: Config  no TOML; the message begins with the place
Result<ConfigValue> parse_toml(std::string_view text, const std::string& name);

// A value as --set and the environment give it, once its reader knows that it is no
// plain text: `[1, 2]`, `{ a = 1 }`, `true`, `5`.
//
// Errors: Config  no TOML value
Result<ConfigValue> parse_toml_value(const ConfigValue& override_text);

}  // namespace marram::cli
