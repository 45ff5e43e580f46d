#include "gateway/cli/config_overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "gateway/cli/suggest.h"

namespace marram::cli {

namespace {

using SameName = std::function<bool(std::string_view, std::string_view)>;

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

// The table in a list of tables whose `name` is meant.
ConfigValue* find_named(ConfigList& list, const std::string& name, const SameName& same) {
  for (ConfigValue& item : list) {
    const ConfigValue* found = item.find("name");
    const auto* text = found == nullptr ? nullptr : std::get_if<std::string>(&found->data);
    if (text != nullptr && same(*text, name)) return &item;
  }
  return nullptr;
}

ConfigValue& entry(ConfigTable& table, const std::string& key, const std::string& place) {
  const auto found = std::ranges::find(table, key, &ConfigEntry::key);
  if (found != table.end()) {
    found->place = place;
    return found->value;
  }
  table.push_back({key, place, {.data = ConfigTable{}, .place = place}});
  return table.back().value;
}

// Goes down `path` from `root` and puts `text` there.  Errors: Config
Status put(ConfigValue& root, const std::vector<std::string>& path, const std::string& text,
           const std::string& place, const SameName& same) {
  ConfigValue* at = &root;
  for (const std::string& part : path) {
    if (auto* list = std::get_if<ConfigList>(&at->data)) {
      at = find_named(*list, part, same);
      if (at == nullptr) {
        return fail(Errc::Config,
                    fmt::format("{}: there is no [[{}]] named \"{}\"", place, path.front(), part));
      }
      continue;
    }
    if (!std::holds_alternative<ConfigTable>(at->data)) at->data = ConfigTable{};
    at = &entry(std::get<ConfigTable>(at->data), part, place);
  }
  at->data = OverrideText{text};
  at->place = place;
  at->from_file = false;
  return {};
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Environment variables have neither lower case nor '-'.
bool same_in_environment(std::string_view name, std::string_view part) {
  std::string as_variable = lower(std::string(name));
  std::ranges::replace(as_variable, '-', '_');
  return as_variable == part;
}

bool all_named(const std::vector<std::string>& path) {
  return path.size() >= 2 &&
         std::ranges::none_of(path, [](const std::string& part) { return part.empty(); });
}

}  // namespace

void apply_environment(const std::vector<std::pair<std::string, std::string>>& environment,
                       ConfigValue& root, std::vector<std::string>& problems) {
  constexpr std::string_view kPrefix = "MARRAM_";
  for (const auto& [variable, text] : environment) {
    const std::string place = fmt::format("environment {}", variable);
    const auto path = split(lower(variable.substr(kPrefix.size())), "__");
    if (!all_named(path)) {
      problems.push_back(fmt::format("{}: names no key (write MARRAM_SECTION__KEY)", place));
    } else if (auto status = put(root, path, text, place, same_in_environment); !status) {
      problems.push_back(status.error().message);
    }
  }
}

void apply_sets(const std::vector<std::string>& sets, ConfigValue& root,
                std::vector<std::string>& problems) {
  const SameName same = [](std::string_view name, std::string_view part) { return name == part; };
  for (const std::string& set : sets) {
    const std::size_t equals = set.find('=');
    // What follows '=' may be a secret: messages stop before it.
    const std::string place = fmt::format("--set {}", set.substr(0, equals));
    const auto path = split(set.substr(0, equals), ".");
    if (equals == std::string::npos || !all_named(path)) {
      problems.push_back(fmt::format("{}: write --set section.key=value", place));
    } else if (auto status = put(root, path, set.substr(equals + 1), place, same); !status) {
      problems.push_back(status.error().message);
    }
  }
}

}  // namespace marram::cli
