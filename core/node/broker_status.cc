// What Bus::consumers() and Bus::status_json() answer; docs/status.md has the fields.
#include <nlohmann/json.hpp>

#include "core/node/broker_body.h"
#include "core/node/reporters.h"

namespace marram {

namespace {

using Json = nlohmann::ordered_json;

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

Json store_json(const StoreStatus& status) {
  Json out = {{"events", status.events},
              {"bytes", status.bytes},
              {"file_bytes", status.file_bytes},
              {"max_bytes", status.max_bytes},
              {"disk_free_bytes", status.disk_free_bytes},
              {"appended", status.appended},
              {"refused_full", status.refused_full},
              {"commits", status.commits},
              {"full", status.full},
              {"dropped", Json::object()}};
  const auto commits = static_cast<double>(std::max<std::uint64_t>(1, status.commits));
  out["commit_ms_mean"] = static_cast<double>(status.commit_micros) / 1e3 / commits;
  for (const auto& [reason, count] : status.dropped) out["dropped"][reason] = count;
  if (!status.failure.empty()) out["failure"] = status.failure;
  if (!status.quarantined.empty()) out["quarantined"] = status.quarantined;
  return out;
}

Json logs_json(const StoreStatus& status) {
  Json out = Json::array();
  for (const LogRecord& log : status.logs) {
    out.push_back({{"log", log.id.text()},
                   {"stream", log.id.stream},
                   {"open", log.open},
                   {"first", log.first},
                   {"head", log.head},
                   {"bytes", log.bytes}});
  }
  return out;
}

}  // namespace

void Broker::consumers(std::function<void(std::vector<ConsumerInfo>)> done) {
  std::vector<ConsumerInfo> all;
  for (const auto& [name, reader] : body_->by_name) all.push_back(body_->info(*reader));
  done(std::move(all));
}

void Broker::status_json(std::function<void(std::string)> done) {
  const Body& body = *body_;
  const Now now = body.now();
  const StoreStatus store = body.store.status();
  Json out;
  out["node"] = {{"name", body.options.name},
                 {"id", body.store.node_id()},
                 {"version", MARRAM_VERSION},
                 {"uptime_s", seconds(now.steady - body.started)},
                 {"data_dir", body.options.data_dir}};
  out["store"] = store_json(store);
  out["logs"] = logs_json(store);
  out["consumers"] = Json::array();
  for (const auto& [name, reader] : body.by_name) {
    const ConsumerInfo info = body.info(*reader);
    Json one = {{"name", name},
                {"filters", info.filters},
                {"attached", info.attached},
                {"backlog", info.backlog},
                {"backlog_exact", reader->consumer->backlog_exact()},
                {"oldest_age_s", nullptr},
                {"in_flight", info.in_flight},
                {"redelivered", info.redelivered},
                {"expired", reader->consumer->expired()},
                {"rate_per_s", reader->rate_per_s},
                {"drain_s", nullptr}};
    if (info.oldest) one["oldest_age_s"] = std::max(0.0, seconds(now.wall - *info.oldest));
    if (reader->rate_per_s >= 0.1) {
      one["drain_s"] = static_cast<double>(info.backlog) / reader->rate_per_s;
    }
    out["consumers"].push_back(std::move(one));
  }
  out["subscriptions"] = body.by_member.size();
  if (body.options.reporters != nullptr) {
    for (const auto& [key, text] : body.options.reporters->report()) {
      out[key] = Json::parse(text, nullptr, false);
    }
  }
  done(out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace marram
