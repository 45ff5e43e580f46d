// Reads the keys of one table of the configuration, each as what it must be.
//
// Asking for a key makes it known; finish() complains about every other one.  So
// what is read, what is known, what `config show` prints and what
// docs/config.md must describe are one list.
//
//     Section node = root.table("node");
//     node.text("name", options.name);
//     node.finish();
//
// All problems are gathered, none ends the reading; a wrong value leaves `out` alone.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "gateway/cli/config_value.h"
#include "gateway/cli/secret.h"

namespace marram::cli {

// One key as it took effect.
struct EffectiveValue {
  std::string section;  // "node"; "stream[0]" for the first [[stream]]
  std::string key;      // "name", "retain.age"
  std::string value;    // TOML; empty: not set
  std::string source;   // a place, or "default"
};

struct ConfigReport {
  std::vector<std::string> problems;      // each begins with its place
  std::vector<EffectiveValue> effective;  // in the order of asking
};

class Section {
 public:
  // `table` may be null: then everything has its default.  Both outlive the section.
  Section(ConfigReport& report, const ConfigValue* table, std::string name,
          std::filesystem::path folder);

  void text(std::string_view key, std::string& out);
  // A file; relative to the folder of the config file when that names it.
  void path(std::string_view key, std::string& out);
  // A list of text; one text alone is a list of one, "" an empty list.
  void texts(std::string_view key, std::vector<std::string>& out);
  void boolean(std::string_view key, bool& out);
  void integer(std::string_view key, std::size_t& out, std::size_t least, std::size_t most);
  void bytes(std::string_view key, std::size_t& out, std::size_t least);
  void bytes(std::string_view key, std::optional<std::size_t>& out);
  void share(std::string_view key, double& out);
  void seconds(std::string_view key, std::chrono::seconds& out);
  void duration(std::string_view key, std::optional<Duration>& out);
  // The index of the word in `choices`.
  void one_of(std::string_view key, std::span<const std::string_view> choices, std::size_t& out);
  // { file = }, { env = } or { credential = }; with `text_too` also plain text.
  void secret(std::string_view key, std::optional<Secret>& out, bool text_too);

  // The table or tables of that name below this one; their problems say "[name]".
  Section table(std::string_view key);
  std::vector<Section> tables(std::string_view key);

  // A key that DESIGN has and this release has not.
  void refuse_later(std::string_view key);
  // A key that must be given.
  void require(std::string_view key);
  void problem(std::string_view key, std::string_view message);
  // What a check elsewhere says of the key's value, as it says it.
  void rejected(std::string_view key, const Error& error);

  void finish();

  bool has(std::string_view key) const;
  // Of the key's value; of the table when the key is not there.
  std::string place(std::string_view key) const;

 private:
  template <class T, class Parse, class Show>
  void read(std::string_view key, T& out, Parse parse, Show show);
  const ConfigValue* known(std::string_view key);
  void note(std::string_view key, std::string value, std::string source);
  std::string full(std::string_view key) const;

  ConfigReport& report_;
  const ConfigValue* table_;
  std::string name_;    // of the outermost table: "node", "stream[0]"
  std::string prefix_;  // of a table inside it: "retain."
  std::filesystem::path folder_;
  std::vector<std::string> known_;
  std::vector<std::string> later_;  // known, and refused already
};

}  // namespace marram::cli
