#include "gateway/cli/node_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "gateway/connectors/route.h"

namespace marram::cli {

namespace {

using nlohmann::json;

Standing standing_in(const json& status) {
  Standing out;
  for (const json& consumer : status["consumers"]) {
    if (consumer.value("name", "") != route_consumer("cloud")) continue;
    out.owed_to_route = consumer.value("backlog", std::uint64_t{0});
    const auto age = consumer.find("oldest_age_s");
    out.oldest_age_s = age != consumer.end() && age->is_number() ? age->get<double>() : 0;
  }
  if (!status.contains("mesh")) return out;
  for (const json& hold : status["mesh"]["holds"]) {
    out.held_for_peer = std::max(out.held_for_peer, hold.value("owed", std::uint64_t{0}));
  }
  return out;
}

}  // namespace

Client* NodeWatch::client() {
  if (client_) return client_.get();
  auto client = Client::connect({.endpoint = "ipc://" + (data_dir_ / "marram.sock").string(),
                                 .name = "scene",
                                 .connect_timeout = std::chrono::milliseconds(500)});
  if (client) client_ = std::move(*client);
  return client_.get();
}

Standing NodeWatch::standing() {
  const TimePoint now = Clock::system().now();
  if (now < asked_at_ + std::chrono::milliseconds(250)) return standing_;
  asked_at_ = now;
  Client* const node = client();
  const auto text = node != nullptr ? node->status_json() : Result<std::string>("{}");
  const json status = json::parse(text.value_or("{}"), nullptr, false);
  if (status.is_object() && status.contains("consumers")) standing_ = standing_in(status);
  return standing_;
}

Result<std::uint64_t> NodeWatch::count_readings(const std::string& topics) {
  Client* const node = client();
  if (node == nullptr) return fail(Errc::Unreachable, "scene: the node does not answer");
  auto reader = node->subscribe(
      {.filters = {topics + "/#"}, .start = Start{.at = Start::At::Earliest}, .auto_settle = true});
  if (!reader) return tl::unexpected(reader.error());
  std::set<std::string> readings;
  for (;;) {
    const auto events = (*reader)->fetch(1000, std::chrono::seconds(1));
    if (!events) return tl::unexpected(events.error());
    if (events->empty()) return readings.size();
    for (const Delivery& delivery : *events) {
      const std::string_view payload = delivery.event->payload;
      readings.emplace(payload.substr(0, payload.find(",\"celsius\"")));
    }
  }
}

}  // namespace marram::cli
