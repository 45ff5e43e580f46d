#include "gateway/mqtt/subscriptions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace marram::mqtt {

bool Subscriptions::put(std::string_view filter, const SubscriptionOptions& options) {
  prepared_ = false;
  const auto found = table_.find(filter);
  if (found == table_.end()) {
    table_.emplace(filter, options);
    return false;
  }
  found->second = options;
  return true;
}

bool Subscriptions::erase(std::string_view filter) {
  const auto found = table_.find(filter);
  if (found == table_.end()) return false;
  table_.erase(found);
  prepared_ = false;
  return true;
}

std::vector<std::string> Subscriptions::filters() const {
  std::vector<std::string> out;
  out.reserve(table_.size());
  for (const auto& [filter, options] : table_) out.push_back(filter);
  return out;
}

void Subscriptions::prepare() {
  prepared_ = true;
  trie_ = FilterTrie();
  by_value_.clear();
  alike_ = std::all_of(table_.begin(), table_.end(), [&](const auto& entry) {
    return entry.second.qos == table_.begin()->second.qos && entry.second.identifier == 0 &&
           !entry.second.no_local;
  });
  if (alike_) return;
  for (const auto& [filter, options] : table_) {
    trie_.insert(filter, static_cast<FilterTrie::Value>(by_value_.size()));
    by_value_.push_back(&options);
  }
}

void Subscriptions::match(std::string_view topic, bool own, Outgoing& out) {
  if (!prepared_) prepare();
  out.identifiers.clear();
  out.qos = 0;
  out.wanted = false;
  if (alike_) {
    // The consumer has matched already; which of the filters it was changes nothing.
    out.wanted = !table_.empty();
    if (out.wanted) out.qos = table_.begin()->second.qos;
    return;
  }
  trie_.match(topic, found_);
  for (const FilterTrie::Value value : found_) {
    const SubscriptionOptions& options = *by_value_[value];
    if (own && options.no_local) continue;
    out.wanted = true;
    out.qos = std::max(out.qos, options.qos);
    if (options.identifier != 0) out.identifiers.push_back(options.identifier);
  }
  std::sort(out.identifiers.begin(), out.identifiers.end());
}

std::string to_attributes(std::uint32_t expiry_s, const Subscriptions::Table& subscriptions) {
  nlohmann::json filters = nlohmann::json::array();
  for (const auto& [filter, options] : subscriptions) {
    nlohmann::json entry{{"filter", filter}, {"qos", options.qos}};
    if (options.no_local) entry["no_local"] = true;
    if (options.retain_as_published) entry["retain_as_published"] = true;
    if (options.identifier != 0) entry["id"] = options.identifier;
    filters.push_back(std::move(entry));
  }
  return nlohmann::json{{"expiry", expiry_s}, {"filters", std::move(filters)}}.dump();
}

std::optional<StoredSession> from_attributes(std::string_view attributes) {
  const auto json = nlohmann::json::parse(attributes, nullptr, false);
  if (!json.is_object()) return {};
  StoredSession session;
  try {
    session.expiry_s = json.at("expiry").get<std::uint32_t>();
    for (const auto& entry : json.at("filters")) {
      session.subscriptions[entry.at("filter").get<std::string>()] = {
          .qos = static_cast<std::uint8_t>(entry.at("qos").get<unsigned>() > 0 ? 1 : 0),
          .no_local = entry.value("no_local", false),
          .retain_as_published = entry.value("retain_as_published", false),
          .identifier = entry.value("id", 0U)};
    }
  } catch (const nlohmann::json::exception&) {
    return {};
  }
  return session;
}

}  // namespace marram::mqtt
