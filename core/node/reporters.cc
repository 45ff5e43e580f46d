#include "core/node/reporters.h"

namespace marram {

void Reporters::add(std::string key, Node::Reporter& reporter) {
  reporters_.with([&](auto& list) { list.emplace_back(std::move(key), &reporter); });
}

void Reporters::remove(std::string_view key) {
  reporters_.with([&](auto& list) {
    std::erase_if(list, [&](const auto& reporter) { return reporter.first == key; });
  });
}

std::vector<std::pair<std::string, std::string>> Reporters::report() {
  return reporters_.with([](auto& list) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [key, reporter] : list) out.emplace_back(key, reporter->report_json());
    return out;
  });
}

}  // namespace marram
