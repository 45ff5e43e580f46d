#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gateway/cli/config.h"

namespace marram::cli {

namespace {

std::string header(const std::string& section) {
  const std::size_t bracket = section.find('[');
  return bracket == std::string::npos ? fmt::format("[{}]", section)
                                      : fmt::format("[[{}]]", section.substr(0, bracket));
}

}  // namespace

std::string config_text(const ConfigReport& report) {
  std::string out;
  std::string section;
  for (const EffectiveValue& value : report.effective) {
    if (value.section != section) {
      section = value.section;
      out += fmt::format("{}{}\n", out.empty() ? "" : "\n", header(section));
    }
    const std::string line = value.value.empty() ? fmt::format("# {} is not set", value.key)
                                                 : fmt::format("{} = {}", value.key, value.value);
    out += fmt::format("{:<44}  # {}\n", line, value.source);
  }
  return out;
}

std::string config_json(const ConfigReport& report) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const EffectiveValue& value : report.effective) {
    // Every value but a secret's place is JSON as it stands.
    auto json = nlohmann::ordered_json::parse(value.value, nullptr, false);
    if (json.is_discarded())
      json = value.value.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(value.value);
    list.push_back({{"section", value.section},
                    {"key", value.key},
                    {"value", std::move(json)},
                    {"source", value.source}});
  }
  return list.dump(2);
}

}  // namespace marram::cli
