#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/node/broker_body.h"
#include "core/node/reporters.h"

namespace marram {

namespace {

using nlohmann::json;

// So many consumers are looked into for one answer; the next answer has the rest.
constexpr std::size_t kLookAheadsMax = 64;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

json store_json(const StoreStatus& status) {
  const auto commits = static_cast<double>(status.commits == 0 ? 1 : status.commits);
  return {{"events", status.events},
          {"bytes", status.bytes},
          {"file_bytes", status.file_bytes},
          {"max_bytes", status.max_bytes},
          {"disk_free_bytes", status.disk_free_bytes},
          {"appended", status.appended},
          {"refused_full", status.refused_full},
          {"commits", status.commits},
          {"commit_mean_s", static_cast<double>(status.commit_micros) / 1e6 / commits},
          {"dropped", json(status.dropped)},
          {"full", status.full},
          {"failure", status.failure},
          {"quarantined", status.quarantined}};
}

// All logs of a stream together, by its name.
json streams_json(const StoreStatus& status) {
  std::map<std::string, json> streams;
  for (const LogRecord& log : status.logs) {
    json& stream = streams
                       .try_emplace(log.id.stream, json{{"name", log.id.stream},
                                                        {"logs", 0},
                                                        {"events", std::uint64_t{0}},
                                                        {"bytes", std::uint64_t{0}}})
                       .first->second;
    stream["logs"] = stream["logs"].get<int>() + 1;
    stream["events"] = stream["events"].get<std::uint64_t>() + log.events;
    stream["bytes"] = stream["bytes"].get<std::uint64_t>() + log.bytes;
  }
  json list = json::array();
  for (auto& [name, stream] : streams) list.push_back(std::move(stream));
  return list;
}

}  // namespace

// What was there when the store was opened.
void Broker::Body::load() {
  last_recorded = store.last_recorded();
  for (const LogRecord& record : store.logs()) {
    logs.add({.no = record.no,
              .id = record.id,
              .open = record.open,
              .memory = record.durability == Durability::Memory,
              .copy = options.copies && !record.open,
              .own = record.id.origin == store.node_id(),
              .first = record.first,
              .head = record.head});
  }
  for (ConsumerRecord& record : store.consumers()) {
    Consumer::Options made{.durable = true, .start = record.start, .filters = record.filters};
    Slot& slot = add_slot(std::make_unique<Consumer>(std::move(made), logs, record.cursors), true);
    record.cursors.clear();
    record.filters.clear();  // the consumer has them
    by_name[record.name] = &slot;
    by_no[record.no] = &slot;
    slot.record = std::move(record);
  }
}

ConsumerInfo Broker::Body::info(const Slot& slot) const {
  const Consumer& consumer = *slot.consumer;
  ConsumerInfo info{.name = slot.record.name,
                    .filters = {},
                    .attributes = slot.record.attributes,
                    .attached = slot.id != 0,
                    .backlog = consumer.backlog(),
                    .oldest = consumer.oldest(),
                    .in_flight = consumer.in_flight(),
                    .redelivered = consumer.redelivered(),
                    .created = slot.record.created};
  for (const FilterRecord& filter : consumer.filters().filters()) {
    info.filters.push_back(filter.filter);
  }
  return info;
}

void Broker::Body::consumers(std::function<void(std::vector<ConsumerInfo>)> done) {
  ask_how_far([this, done = std::move(done)] {
    std::vector<ConsumerInfo> list;
    for (const auto& slot : slots) {
      if (slot && slot->durable && slot->record.no != 0) list.push_back(info(*slot));
    }
    std::sort(list.begin(), list.end(),
              [](const ConsumerInfo& a, const ConsumerInfo& b) { return a.name < b.name; });
    done(std::move(list));
  });
}

// Consumers without a member do not know what is next for them before they look.
void Broker::Body::ask_how_far(std::function<void()> answer) {
  tell_time();
  const auto question = std::make_shared<Question>(Question{1, std::move(answer)});
  std::size_t looked = 0;
  Actions todo;
  for (const auto& slot : slots) {
    if (!slot || !slot->durable || slot->consumer->attached() || slot->record.no == 0) continue;
    slot->consumer->look_ahead(todo);
    if (todo.empty()) continue;
    ++question->open;
    slot->questions.push_back(question);
    carry_out(*slot, todo);
    if (++looked == kLookAheadsMax) break;
  }
  if (--question->open == 0) question->answer();
}

std::string Broker::Body::status_text() {
  const StoreStatus stored = store.status();
  json list = json::array();
  for (const auto& slot : slots) {
    if (!slot || !slot->durable || slot->record.no == 0) continue;
    slot->meter.sample(slot->consumer->settled(), now.steady);
    const ConsumerInfo consumer = info(*slot);
    const double rate = slot->meter.per_second();
    json one = {{"name", consumer.name},
                {"filters", consumer.filters},
                {"attached", consumer.attached},
                {"backlog", consumer.backlog},
                {"backlog_exact", slot->consumer->backlog_exact()},
                {"oldest_age_s", nullptr},
                {"in_flight", consumer.in_flight},
                {"redelivered", consumer.redelivered},
                {"expired", slot->consumer->expired()},
                {"settled", slot->consumer->settled()},
                {"rate_per_s", rate},
                {"drain_s", nullptr},
                {"created", iso_text(consumer.created)}};
    if (consumer.backlog == 0) one["oldest_age_s"] = 0.0;
    if (consumer.oldest) one["oldest_age_s"] = std::max(0.0, seconds(now.wall - *consumer.oldest));
    if (consumer.backlog == 0) one["drain_s"] = 0.0;
    if (consumer.backlog > 0 && rate > 0) {
      one["drain_s"] = static_cast<double>(consumer.backlog) / rate;
    }
    list.push_back(std::move(one));
  }
  std::sort(list.begin(), list.end(),
            [](const json& a, const json& b) { return a["name"] < b["name"]; });
  json status = {{"node",
                  {{"name", options.name},
                   {"id", store.node_id()},
                   {"version", MARRAM_VERSION},
                   {"uptime_s", seconds(now.steady - started)},
                   {"data_dir", options.data_dir},
                   {"subscriptions", by_id.size()},
                   {"tail_bytes", tail.bytes()}}},
                 {"store", store_json(stored)},
                 {"streams", streams_json(stored)},
                 {"consumers", std::move(list)}};
  if (options.reporters != nullptr) {
    for (auto& [key, text] : options.reporters->report()) {
      // What is not JSON is shown as text rather than losing the whole answer.
      json part = json::parse(text, nullptr, false);
      status[key] = part.is_discarded() ? json(text) : std::move(part);
    }
  }
  // Names that are no UTF-8 cannot have come in; a path may.
  return status.dump(-1, ' ', false, json::error_handler_t::replace);
}

void Broker::consumers(std::function<void(std::vector<ConsumerInfo>)> done) {
  body_->consumers(std::move(done));
}

void Broker::status_json(std::function<void(std::string)> done) {
  body_->ask_how_far([this, done = std::move(done)] { done(body_->status_text()); });
}

}  // namespace marram
