#include "gateway/cli/config_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/quantity.h"
#include "gateway/cli/config_parse.h"
#include "gateway/cli/suggest.h"

namespace marram::cli {

namespace {

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

// "stream[0]" is written as [[stream]].
std::string shown_table(const std::string& name) {
  const std::size_t bracket = name.find('[');
  return bracket == std::string::npos ? fmt::format("[{}]", name)
                                      : fmt::format("[[{}]]", name.substr(0, bracket));
}

}  // namespace

Section::Section(ConfigReport& report, const ConfigValue* table, std::string name,
                 std::filesystem::path folder)
    : report_(report), table_(table), name_(std::move(name)), folder_(std::move(folder)) {}

template <class T, class Parse, class Show>
void Section::read(std::string_view key, T& out, Parse parse, Show show) {
  const ConfigValue* value = known(key);
  if (value != nullptr) {
    auto parsed = parse(*value);
    if (!parsed) {
      problem(key, parsed.error().message);
      return;
    }
    out = std::move(*parsed);
  }
  note(key, show(out), value != nullptr ? value->place : "default");
}

void Section::text(std::string_view key, std::string& out) { read(key, out, parse_text, quoted); }

void Section::path(std::string_view key, std::string& out) {
  const auto parse = [this](const ConfigValue& value) -> Result<std::string> {
    auto text = parse_text(value);
    if (!text || text->empty() || !value.from_file) return text;
    return (folder_ / *text).lexically_normal().string();
  };
  read(key, out, parse, quoted);
}

void Section::texts(std::string_view key, std::vector<std::string>& out) {
  read(key, out, parse_texts, [](const auto& list) { return nlohmann::json(list).dump(); });
}

void Section::boolean(std::string_view key, bool& out) {
  read(key, out, parse_boolean, [](bool value) { return value ? "true" : "false"; });
}

void Section::integer(std::string_view key, std::size_t& out, std::size_t least, std::size_t most) {
  const auto parse = [&](const ConfigValue& value) { return parse_integer(value, least, most); };
  read(key, out, parse, [](std::size_t value) { return fmt::to_string(value); });
}

void Section::bytes(std::string_view key, std::size_t& out, std::size_t least) {
  const auto parse = [&](const ConfigValue& value) { return parse_size(value, least); };
  read(key, out, parse, size_text);
}

void Section::bytes(std::string_view key, std::optional<std::size_t>& out) {
  const auto parse = [](const ConfigValue& value) { return parse_size(value, 1); };
  read(key, out, parse, [](const auto& size) { return size ? size_text(*size) : std::string(); });
}

void Section::share(std::string_view key, double& out) {
  read(key, out, parse_share_value,
       [](double share) { return quoted(fmt::format("{:g}%", share * 100)); });
}

void Section::seconds(std::string_view key, std::chrono::seconds& out) {
  const auto parse = [](const ConfigValue& value) -> Result<std::chrono::seconds> {
    auto duration = parse_duration_value(value);
    if (!duration) return tl::unexpected(duration.error());
    const auto whole = std::chrono::floor<std::chrono::seconds>(*duration);
    if (whole == *duration) return whole;
    return fail(Errc::Config, "must be whole seconds, such as \"30s\"");
  };
  read(key, out, parse,
       [](std::chrono::seconds value) { return quoted(exact_duration_text(value)); });
}

void Section::duration(std::string_view key, std::optional<Duration>& out) {
  read(key, out, parse_duration_value, [](const std::optional<Duration>& value) {
    return value ? quoted(exact_duration_text(*value)) : std::string();
  });
}

void Section::one_of(std::string_view key, std::span<const std::string_view> choices,
                     std::size_t& out) {
  const auto parse = [&](const ConfigValue& value) { return parse_choice(value, choices); };
  read(key, out, parse, [&](std::size_t index) { return quoted(std::string(choices[index])); });
}

void Section::secret(std::string_view key, std::optional<Secret>& out, bool text_too) {
  const auto parse = [&](const ConfigValue& value) -> Result<Secret> {
    auto secret = parse_secret(value, text_too);
    if (secret && secret->kind == Secret::Kind::File && value.from_file) {
      secret->value = (folder_ / secret->value).lexically_normal().string();
    }
    return secret;
  };
  read(key, out, parse, [](const auto& value) { return value ? value->shown() : std::string(); });
}

Section Section::table(std::string_view key) {
  const ConfigValue* value = known(key);
  if (value != nullptr && !std::holds_alternative<ConfigTable>(value->data)) {
    problem(key, fmt::format("must be a table, not {}", value->kind()));
    value = nullptr;
  }
  Section section(report_, value, name_.empty() ? std::string(key) : name_, folder_);
  if (!name_.empty()) section.prefix_ = fmt::format("{}{}.", prefix_, key);
  return section;
}

std::vector<Section> Section::tables(std::string_view key) {
  std::vector<Section> sections;
  const ConfigValue* value = known(key);
  if (value == nullptr) return sections;
  const auto* list = std::get_if<ConfigList>(&value->data);
  if (list == nullptr) {
    problem(key, fmt::format("must be [[{}]], once for each, not {}", key, value->kind()));
    return sections;
  }
  for (const ConfigValue& item : *list) {
    if (!std::holds_alternative<ConfigTable>(item.data)) {
      report_.problems.push_back(
          fmt::format("{}: {} must be a table, not {}", item.place, key, item.kind()));
      continue;
    }
    sections.emplace_back(report_, &item, fmt::format("{}[{}]", key, sections.size()), folder_);
  }
  return sections;
}

void Section::refuse_later(std::string_view key) {
  later_.emplace_back(key);
  if (table_ == nullptr || !std::holds_alternative<ConfigTable>(table_->data)) return;
  for (const ConfigEntry& entry : std::get<ConfigTable>(table_->data)) {
    if (entry.key != key) continue;
    const std::string shown = name_.empty() ? fmt::format("[{}]", key) : full(key);
    report_.problems.push_back(
        fmt::format("{}: {} is not in this release (take it out)", entry.place, shown));
  }
}

void Section::require(std::string_view key) {
  if (table_ == nullptr || has(key)) return;
  report_.problems.push_back(fmt::format("{}: {} needs \"{}\"", table_->place, shown_table(name_),
                                         prefix_ + std::string(key)));
}

void Section::problem(std::string_view key, std::string_view message) {
  report_.problems.push_back(fmt::format("{}: {} {}", place(key), full(key), message));
}

void Section::rejected(std::string_view key, const Error& error) {
  report_.problems.push_back(fmt::format("{}: {}", place(key), error.message));
}

void Section::finish() {
  if (table_ == nullptr) return;
  for (const ConfigEntry& entry : std::get<ConfigTable>(table_->data)) {
    const auto is_key = [&](const std::string& key) { return key == entry.key; };
    if (std::ranges::any_of(known_, is_key) || std::ranges::any_of(later_, is_key)) continue;
    const std::string_view near = nearest(entry.key, known_);
    const std::string where = name_.empty() ? "" : fmt::format(" in {}", shown_table(name_));
    const std::string_view what = name_.empty() ? "section" : "key";
    const std::string hint = near.empty() ? fmt::format("known: {}", joined(known_))
                                          : fmt::format("did you mean \"{}{}\"?", prefix_, near);
    report_.problems.push_back(fmt::format("{}: unknown {} \"{}{}\"{} ({})", entry.place, what,
                                           prefix_, entry.key, where, hint));
  }
}

bool Section::has(std::string_view key) const {
  return table_ != nullptr && table_->find(key) != nullptr;
}

std::string Section::place(std::string_view key) const {
  if (table_ == nullptr) return "default";
  const ConfigValue* value = table_->find(key);
  return value != nullptr ? value->place : table_->place;
}

const ConfigValue* Section::known(std::string_view key) {
  known_.emplace_back(key);
  return table_ == nullptr ? nullptr : table_->find(key);
}

void Section::note(std::string_view key, std::string value, std::string source) {
  report_.effective.push_back(
      {name_, prefix_ + std::string(key), std::move(value), std::move(source)});
}

std::string Section::full(std::string_view key) const {
  const std::string outer = name_.substr(0, name_.find('['));
  return outer.empty() ? std::string(key) : fmt::format("{}.{}{}", outer, prefix_, key);
}

}  // namespace marram::cli
