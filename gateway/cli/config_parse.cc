#include "gateway/cli/config_parse.h"

#include <fmt/format.h>

#include <array>

#include "core/base/limits.h"
#include "core/base/quantity.h"
#include "core/event/topic.h"
#include "gateway/cli/suggest.h"

namespace marram::cli {

namespace {

tl::unexpected<Error> wrong(std::string message) { return fail(Errc::Config, std::move(message)); }

tl::unexpected<Error> not_a(std::string_view wanted, const ConfigValue& value) {
  return wrong(fmt::format("must be {}, not {}", wanted, value.kind()));
}

// The value itself, or what an override's text is in TOML.
Result<ConfigValue> typed(const ConfigValue& value) {
  if (!std::holds_alternative<OverrideText>(value.data)) return value;
  return parse_toml_value(value);
}

const std::string* text_of(const ConfigValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return text;
  const auto* given = std::get_if<OverrideText>(&value.data);
  return given == nullptr ? nullptr : &given->text;
}

// The cause of core/base/quantity.h without the place it begins with.
tl::unexpected<Error> unreadable(const Error& error) {
  const std::size_t colon = error.message.find(": ");
  return wrong(fmt::format("{}", error.message.substr(colon == std::string::npos ? 0 : colon + 2)));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace

Result<std::string> parse_text(const ConfigValue& value) {
  if (const std::string* text = text_of(value)) return *text;
  return not_a("text in quotes", value);
}

Result<std::vector<std::string>> parse_texts(const ConfigValue& value) {
  const auto* given = std::get_if<OverrideText>(&value.data);
  if (given != nullptr && !given->text.starts_with('[')) return split(given->text, ',');

  const auto list_value = typed(value);
  if (!list_value) return tl::unexpected(list_value.error());
  if (const auto* text = std::get_if<std::string>(&list_value->data)) {
    return text->empty() ? std::vector<std::string>() : std::vector<std::string>{*text};
  }
  const auto* list = std::get_if<ConfigList>(&list_value->data);
  if (list == nullptr) return not_a("a list of text", value);
  std::vector<std::string> out;
  for (const ConfigValue& item : *list) {
    const auto* text = std::get_if<std::string>(&item.data);
    if (text == nullptr) {
      return wrong(fmt::format("must be a list of text, but its item {} is {}", out.size() + 1,
                               item.kind()));
    }
    out.push_back(*text);
  }
  return out;
}

Result<bool> parse_boolean(const ConfigValue& value) {
  const auto boolean = typed(value);
  if (!boolean) return wrong("must be true or false");
  if (const bool* is = std::get_if<bool>(&boolean->data)) return *is;
  return not_a("true or false", *boolean);
}

Result<std::size_t> parse_integer(const ConfigValue& value, std::size_t least, std::size_t most) {
  const auto number = typed(value);
  if (!number) return wrong("must be an integer");
  const auto* integer = std::get_if<std::int64_t>(&number->data);
  if (integer == nullptr) return not_a("an integer", *number);
  if (*integer >= 0 && static_cast<std::size_t>(*integer) >= least &&
      static_cast<std::size_t>(*integer) <= most) {
    return static_cast<std::size_t>(*integer);
  }
  return wrong(fmt::format("must be from {} to {}, not {}", least, most, *integer));
}

Result<std::size_t> parse_size(const ConfigValue& value, std::size_t least) {
  constexpr std::size_t kMost = std::size_t{1} << 62;
  std::size_t bytes = 0;
  if (const std::string* text = text_of(value)) {
    const auto parsed = parse_bytes(*text);
    if (!parsed) return unreadable(parsed.error());
    bytes = *parsed;
  } else if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
    bytes = *integer < 0 ? kMost + 1 : static_cast<std::size_t>(*integer);
  } else {
    return not_a("a size such as \"256MiB\"", value);
  }
  if (bytes >= least && bytes <= kMost) return bytes;
  return wrong(fmt::format("must be {} bytes or more", least));
}

Result<double> parse_share_value(const ConfigValue& value) {
  const std::string* text = text_of(value);
  if (text == nullptr) return not_a("a share such as \"5%\"", value);
  const auto share = parse_share(*text);
  if (!share) return unreadable(share.error());
  return *share;
}

Result<Duration> parse_duration_value(const ConfigValue& value) {
  const std::string* text = text_of(value);
  if (text == nullptr) return not_a("a duration such as \"30s\"", value);
  const auto duration = parse_duration(*text);
  if (!duration) return unreadable(duration.error());
  return *duration;
}

Result<std::size_t> parse_choice(const ConfigValue& value,
                                 std::span<const std::string_view> choices) {
  const std::vector<std::string> words(choices.begin(), choices.end());
  const std::string all = fmt::format("\"{}\"", fmt::join(words, "\", \""));
  const std::string* text = text_of(value);
  if (text == nullptr) return not_a("one of " + all, value);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == *text) return i;
  }
  const std::string_view near = nearest(*text, words);
  return wrong(fmt::format("must be one of {}, not \"{}\"{}", all, *text,
                           near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near)));
}

Result<Secret> parse_secret(const ConfigValue& value, bool text_too) {
  static const std::vector<std::string> kinds = {"", "file", "env", "credential"};
  constexpr std::string_view kForm =
      "{ file = \"PATH\" }, { env = \"VARIABLE\" } or { credential = \"NAME\" }";
  const std::string* text = text_of(value);
  const bool table_text = text != nullptr && text->starts_with('{');
  if (text != nullptr && text_too && !table_text) {
    return Secret{Secret::Kind::Text, *text, value.place};
  }
  // What is written here may be a secret: it must not appear in the message.
  const auto written = typed(value);
  if (!written || !std::holds_alternative<ConfigTable>(written->data)) {
    return wrong(fmt::format("must say where the secret is kept: {}", kForm));
  }
  const auto& entries = std::get<ConfigTable>(written->data);
  if (entries.size() != 1) return wrong(fmt::format("must be one of {}", kForm));
  for (std::size_t i = 1; i < kinds.size(); ++i) {
    if (entries.front().key != kinds[i]) continue;
    const auto* where = std::get_if<std::string>(&entries.front().value.data);
    if (where == nullptr || where->empty()) return wrong(fmt::format("must be one of {}", kForm));
    const auto kind = static_cast<Secret::Kind>(i);
    if (kind == Secret::Kind::Credential && !check_name("credential", *where, Limits{})) {
      return wrong("names a credential: a name without '/'");
    }
    return Secret{kind, *where, value.place};
  }
  const std::string_view near = nearest(entries.front().key, kinds);
  return wrong(
      fmt::format("has an unknown key \"{}\" ({})", entries.front().key,
                  near.empty() ? std::string(kForm) : fmt::format("did you mean \"{}\"?", near)));
}

std::string size_text(std::size_t bytes) {
  struct Unit {
    std::size_t bytes;
    std::string_view name;
  };
  static constexpr std::array<Unit, 4> kUnits = {
      {{std::size_t{1} << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}};
  for (const Unit& unit : kUnits) {
    if (bytes != 0 && bytes % unit.bytes == 0) {
      return fmt::format("\"{}{}\"", bytes / unit.bytes, unit.name);
    }
  }
  return fmt::to_string(bytes);
}

std::string exact_duration_text(Duration duration) {
  struct Unit {
    std::int64_t micros;
    std::string_view name;
  };
  static constexpr std::array<Unit, 6> kUnits = {{{86'400'000'000, "d"},
                                                  {3'600'000'000, "h"},
                                                  {60'000'000, "m"},
                                                  {1'000'000, "s"},
                                                  {1'000, "ms"},
                                                  {1, "us"}}};
  for (const Unit& unit : kUnits) {
    if (duration.count() != 0 && duration.count() % unit.micros == 0) {
      return fmt::format("{}{}", duration.count() / unit.micros, unit.name);
    }
  }
  return "0s";
}

}  // namespace marram::cli
