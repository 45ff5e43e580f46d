#include "gateway/cli/config_value.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

namespace marram::cli {

namespace {

std::string place_of(const toml::source_region& region, const std::string& name) {
  return fmt::format("{}:{}:{}", name, region.begin.line, region.begin.column);
}

ConfigValue from_node(const toml::node& node, const std::string& name);

ConfigTable from_table(const toml::table& table, const std::string& name) {
  std::vector<std::pair<toml::source_position, ConfigEntry>> found;
  for (const auto& [key, value] : table) {
    found.emplace_back(
        key.source().begin,
        ConfigEntry{std::string(key.str()), place_of(key.source(), name), from_node(value, name)});
  }
  std::ranges::sort(found, {}, [](const auto& one) {
    return std::tuple(one.first.line, one.first.column, std::string_view(one.second.key));
  });
  ConfigTable entries;
  for (auto& [position, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

ConfigList from_array(const toml::array& array, const std::string& name) {
  ConfigList list;
  for (const toml::node& node : array) list.push_back(from_node(node, name));
  return list;
}

ConfigValue from_node(const toml::node& node, const std::string& name) {
  ConfigValue value;
  value.place = place_of(node.source(), name);
  value.from_file = true;
  if (const auto* table = node.as_table()) {
    value.data = from_table(*table, name);
  } else if (const auto* array = node.as_array()) {
    value.data = from_array(*array, name);
  } else if (const auto* text = node.as_string()) {
    value.data = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.data = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    value.data = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.data = boolean->get();
  } else {
    value.data = ConfigTime{};
  }
  return value;
}

void set_place(ConfigValue& value, const std::string& place) {
  value.place = place;
  value.from_file = false;
  if (auto* table = std::get_if<ConfigTable>(&value.data)) {
    for (ConfigEntry& entry : *table) {
      entry.place = place;
      set_place(entry.value, place);
    }
  }
  if (auto* list = std::get_if<ConfigList>(&value.data)) {
    for (ConfigValue& item : *list) set_place(item, place);
  }
}

}  // namespace

std::string_view ConfigValue::kind() const {
  static constexpr std::array<std::string_view, 8> kKinds = {
      "a table",       "a list",         "text", "an integer", "a number with a fraction",
      "true or false", "a date or time", "text"};
  return kKinds.at(data.index());
}

const ConfigValue* ConfigValue::find(std::string_view key) const {
  const auto* table = std::get_if<ConfigTable>(&data);
  if (table == nullptr) return nullptr;
  const auto found = std::ranges::find(*table, key, &ConfigEntry::key);
  return found == table->end() ? nullptr : &found->value;
}

ConfigValue* ConfigValue::find(std::string_view key) {
  return const_cast<ConfigValue*>(std::as_const(*this).find(key));
}

Result<ConfigValue> parse_toml(std::string_view text, const std::string& name) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (parsed) {
    ConfigValue root = from_node(parsed.table(), name);
    root.place = name;
    return root;
  }
  return fail(Errc::Config, fmt::format("{}: {}", place_of(parsed.error().source(), name),
                                        parsed.error().description()));
}

Result<ConfigValue> parse_toml_value(const ConfigValue& override_text) {
  const auto& text = std::get<OverrideText>(override_text.data).text;
  auto parsed = parse_toml("value = " + text, override_text.place);
  const ConfigValue* value = parsed ? parsed->find("value") : nullptr;
  if (value == nullptr || std::get<ConfigTable>(parsed->data).size() != 1) {
    return fail(Errc::Config, fmt::format("cannot read \"{}\" as a TOML value", text));
  }
  ConfigValue out = *value;
  set_place(out, override_text.place);
  return out;
}

}  // namespace marram::cli
