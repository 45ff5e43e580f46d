#include "core/node/reporters.h"

#include <algorithm>

namespace marram {

void Reporters::add(std::string key, Node::Reporter& reporter) {
  reporters_.with([&](auto& all) { all.emplace_back(std::move(key), &reporter); });
}

void Reporters::remove(std::string_view key) {
  reporters_.with([&](auto& all) {
    std::erase_if(all, [&](const auto& entry) { return entry.first == key; });
  });
}

std::vector<std::pair<std::string, std::string>> Reporters::report() {
  return reporters_.with([](auto& all) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [key, reporter] : all) out.emplace_back(key, reporter->report_json());
    return out;
  });
}

}  // namespace marram
