#include "bindings/python/core_bus.h"

#include <fmt/format.h>

#include <deque>

#include "bindings/python/core_subscription.h"
#include "bindings/python/errors.h"
#include "bindings/python/event_reader.h"
#include "core/base/quantity.h"

namespace py = pybind11;

namespace marram::python {

namespace {

// Batches of one publish_many() that are with the store at a time.
constexpr std::size_t kBatchesAhead = 4;
// After it "not in time" is taken for granted, though nobody has said so.
constexpr Duration kAnswerLate = std::chrono::seconds(5);

class Answer : public Listener {
 public:
  void notify(Notice notice) override { handoff_.set(std::move(notice)); }

  template <class Kind>
  std::optional<Kind> wait_until(std::chrono::steady_clock::time_point until) {
    auto notice = handoff_.wait_until(until);
    if (!notice) return {};
    return std::get<Kind>(std::move(*notice));
  }

 private:
  Handoff<Notice> handoff_;
};

// What has become of the batches so far.
struct Outcome {
  Receipts receipts;
  py::list refused;  // (index, error)

  void add(const Published& published) {
    const std::size_t first = receipts.size();
    for (const EventView& event : published.batch->events()) receipts.add(event);
    for (std::size_t i = 0; i < published.results.size(); ++i) {
      if (published.results[i]) continue;
      refused.append(py::make_tuple(first + i, exception(published.results[i].error())));
    }
  }
};

Published wait_for(Answer& answer, std::int64_t timeout_micros) {
  auto published = wait_in_slices(deadline_after(timeout_micros),
                                  [&](auto until) { return answer.wait_until<Published>(until); });
  if (published) return std::move(*published);
  raise({Errc::TimedOut,
         fmt::format("publish: not stored within {} (it may be stored later; publish again with "
                     "the same id, or give a longer timeout)",
                     duration_text(Duration(timeout_micros)))});
}

LogLevel level(const std::string& text) {
  if (text == "debug") return LogLevel::Debug;
  if (text == "info") return LogLevel::Info;
  if (text == "warn") return LogLevel::Warn;
  if (text == "error") return LogLevel::Error;
  raise({Errc::Invalid, fmt::format("log: there is no level \"{}\" (write debug, info, warn or "
                                    "error)",
                                    text)});
}

}  // namespace

// The listener's part of status().
class CoreBus::MqttReport : public Node::Reporter {
 public:
  explicit MqttReport(mqtt::MqttListener& listener) : listener_(listener) {}
  std::string report_json() override { return listener_.report_json(); }

 private:
  mqtt::MqttListener& listener_;
};

CoreBus::CoreBus() = default;

std::shared_ptr<CoreBus> CoreBus::open_node(NodeOptions options, mqtt::MqttOptions mqtt,
                                            const std::string& log_level) {
  std::shared_ptr<CoreBus> opened(new CoreBus);
  if (!log_level.empty()) {
    opened->log_ = Log::to_stderr(LogFormat::Auto, level(log_level), options.name);
    options.log = mqtt.log = opened->log_.get();
  }
  auto node = value(without_gil([&] { return Node::open(std::move(options)); }));
  opened->node_ = node.get();
  opened->bus_ = std::move(node);
  if (!mqtt.listen.empty()) opened->open_mqtt(std::move(mqtt));
  return opened;
}

void CoreBus::open_mqtt(mqtt::MqttOptions options) {
  mqtt_ = value(without_gil([&] { return mqtt::MqttListener::open(std::move(options), *bus_); }));
  mqtt_report_ = std::make_unique<MqttReport>(*mqtt_);
  node_->add_reporter("mqtt", *mqtt_report_);
}

std::shared_ptr<CoreBus> CoreBus::connect(ClientOptions options) {
  std::shared_ptr<CoreBus> opened(new CoreBus);
  auto client = value(without_gil([&] { return Client::connect(std::move(options)); }));
  opened->client_ = client.get();
  opened->bus_ = std::move(client);
  return opened;
}

CoreBus::~CoreBus() {
  if (!forked()) {
    close();
    return;
  }
  // The threads behind these are the parent's; their locks may be held for ever here.
  static_cast<void>(mqtt_.release());
  static_cast<void>(mqtt_report_.release());
  static_cast<void>(bus_.release());
  static_cast<void>(log_.release());
}

Bus& CoreBus::use() {
  if (forked()) {
    raise({Errc::Forked,
           "this node belongs to the parent process and its threads were not copied "
           "by fork() (in the child, open it anew with marram.connect(), or use "
           "multiprocessing's \"spawn\")"});
  }
  if (closed_) raise({Errc::Closed, "this node has been closed (open a new one)"});
  return *bus_;
}

std::string CoreBus::name() const { return node_ ? node_->name() : client_->node_name(); }
std::string CoreBus::id() const { return node_ ? node_->id() : client_->node_id(); }

std::vector<std::string> CoreBus::endpoints() const {
  return node_ ? node_->endpoints() : std::vector<std::string>();
}

std::vector<std::string> CoreBus::mesh_endpoints() const {
  return node_ ? node_->mesh_endpoints() : std::vector<std::string>();
}

std::vector<std::string> CoreBus::mqtt_endpoints() const {
  return mqtt_ ? mqtt_->endpoints() : std::vector<std::string>();
}

// A store that has too much waiting holds its publishers back.
void CoreBus::submit_or_wait(std::unique_ptr<EventBatch> batch, const ListenerPtr& listener,
                             const Deadline& deadline) {
  Bus& bus = use();
  Status status = bus.submit(std::move(batch), listener, 0);
  if (!status && status.error().code == Errc::Overloaded) {
    Handoff<bool> pause;  // nobody ends it early
    const auto taken = wait_in_slices(deadline, [&](auto until) -> std::optional<Status> {
      const auto next = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
      pause.wait_until(std::min(until, next));
      status = bus.submit(std::move(batch), listener, 0);
      if (!status && status.error().code == Errc::Overloaded) return {};
      return status;
    });
    if (taken) status = *taken;
  }
  check(status);
}

py::object CoreBus::publish(py::handle event, std::int64_t timeout_micros) {
  use();
  const InCall call(calls_);
  auto batch = std::make_unique<EventBatch>();
  EventReader(limits(), "", ids_).add(event, *batch);
  const auto answer = std::make_shared<Answer>();
  submit_or_wait(std::move(batch), answer, deadline_after(timeout_micros));
  const Published published = wait_for(*answer, timeout_micros);
  for (const Status& result : published.results) check(result);
  Receipts receipts;
  receipts.add(published.batch->events().front());
  return receipts.at(0);
}

py::tuple CoreBus::publish_many(py::handle items, const std::string& topic,
                                std::int64_t timeout_micros) {
  use();
  const InCall call(calls_);
  EventReader reader(limits(), topic, ids_);
  Outcome outcome;
  std::size_t count = 0;
  std::deque<std::shared_ptr<Answer>> ahead;
  while (auto batch = reader.read(items, count)) {
    count += batch->size();
    if (ahead.size() == kBatchesAhead) {
      outcome.add(wait_for(*ahead.front(), timeout_micros));
      ahead.pop_front();
    }
    ahead.push_back(std::make_shared<Answer>());
    submit_or_wait(std::move(batch), ahead.back(), deadline_after(timeout_micros));
  }
  for (const auto& answer : ahead) outcome.add(wait_for(*answer, timeout_micros));
  return py::make_tuple(std::move(outcome.receipts), std::move(outcome.refused));
}

bool CoreBus::reach(const std::string& level,
                    const std::vector<std::pair<std::uint32_t, std::uint64_t>>& places,
                    std::int64_t timeout_micros) {
  Bus& bus = use();
  const InCall call(calls_);
  std::vector<Position> positions;
  for (const auto& [log, seq] : places) positions.emplace_back(log, seq);
  const auto answer = std::make_shared<Answer>();
  const Duration patience(std::max<std::int64_t>(timeout_micros, 0));
  bus.await_level(value(parse_level(level)), std::move(positions), patience, answer, 0);
  auto reached = wait_in_slices(deadline_after((patience + kAnswerLate).count()),
                                [&](auto until) { return answer->wait_until<Reached>(until); });
  return reached && value(std::move(reached->reached));
}

std::optional<Chunk> CoreBus::read(py::handle items, const std::string& topic,
                                   std::optional<std::size_t> first) {
  use();
  auto batch = EventReader(limits(), topic, ids_).read(items, first);
  if (!batch) return {};
  const std::size_t size = batch->size();
  return Chunk{std::move(batch), size};
}

void CoreBus::submit(Chunk& chunk, std::uint64_t token) {
  check(use().submit(std::move(chunk.batch), inbox_, token));
}

int CoreBus::fd() {
  use();
  return inbox_->fd();
}

py::list CoreBus::take_answers() {
  py::list answers;
  std::vector<Notice> notices;
  while (inbox_->take(notices)) {
    for (const Notice& notice : notices) {
      const auto* published = std::get_if<Published>(&notice);
      if (published == nullptr) continue;
      Outcome outcome;
      outcome.add(*published);
      answers.append(py::make_tuple(published->token, std::move(outcome.receipts),
                                    std::move(outcome.refused)));
    }
  }
  return answers;
}

std::unique_ptr<CoreSubscription> CoreBus::subscribe(SubscribeOptions options) {
  Bus& bus = use();
  const InCall call(calls_);
  auto subscription = value(without_gil([&] { return bus.subscribe(std::move(options)); }));
  return std::make_unique<CoreSubscription>(shared_from_this(), std::move(subscription));
}

std::vector<ConsumerInfo> CoreBus::consumers() {
  Bus& bus = use();
  const InCall call(calls_);
  return value(without_gil([&] { return bus.consumers(); }));
}

void CoreBus::remove_consumer(const std::string& name) {
  Bus& bus = use();
  const InCall call(calls_);
  check(without_gil([&] { return bus.remove_consumer(name); }));
}

std::string CoreBus::status_json() {
  Bus& bus = use();
  const InCall call(calls_);
  return value(without_gil([&] { return bus.status_json(); }));
}

void CoreBus::close() {
  if (forked() || closed_.exchange(true) || !bus_) return;
  const InCall call(calls_);
  without_gil([&] {
    if (mqtt_) {
      node_->remove_reporter("mqtt");
      mqtt_->close();
    }
    bus_->close();
    inbox_->close();
  });
}

}  // namespace marram::python
