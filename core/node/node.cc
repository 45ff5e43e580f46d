#include "core/node/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <utility>

#include "core/base/quantity.h"
#include "core/event/topic.h"
#include "core/node/broker.h"
#include "core/node/endpoint.h"
#include "core/node/loop.h"
#include "core/node/reporters.h"
#include "core/store/store.h"

namespace marram {

namespace {

constexpr Duration kAnswerWithin = std::chrono::seconds(30);

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "node";
}

// From the writer's thread to the loop.  What the loop is behind with is bounded:
// batches over that are dropped, and their heads told instead, so that readers go
// to the disk for them.
class Relay : public StoreListener {
 public:
  Relay(Loop& loop, std::size_t bytes_max) : loop_(loop), bytes_max_(bytes_max) {}
  void set(Broker& broker) { broker_ = &broker; }  // before the loop starts

  void on_committed(EventBatchPtr batch) override {
    const std::size_t bytes = batch->bytes();
    if (dropping_ || queued_bytes_ + bytes > bytes_max_) return drop(*batch);
    queued_bytes_ += bytes;
    loop_.post([this, batch = std::move(batch), bytes] {
      broker_->on_committed(batch);
      queued_bytes_ -= bytes;
    });
  }
  void on_log_opened(const LogRecord& log) override {
    loop_.post([this, log] { broker_->on_log_opened(log); });
  }
  void on_cursors_saved(std::vector<CursorMove> moves) override {
    loop_.post([this, moves = std::move(moves)] { broker_->on_cursors_saved(moves); });
  }
  void on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap, bool owed) override {
    loop_.post([=, this] { broker_->on_trimmed(log, first, gap, owed); });
  }

 private:
  struct Dropped {
    std::map<std::uint32_t, std::uint64_t> heads;
    WallTime recorded{};
  };

  // Everything until the loop has heard of it: no kept batch overtakes a dropped one.
  void drop(const EventBatch& batch) {
    const bool first = dropped_.with([&](Dropped& dropped) {
      for (const EventView& event : batch.events()) {
        if (event.position == Position()) continue;
        dropped.heads[event.position.log()] = event.position.seq();
        dropped.recorded = event.recorded;
      }
      return !dropping_.exchange(true);
    });
    if (first) loop_.post([this] { tell_dropped(); });
  }

  void tell_dropped() {
    const Dropped dropped = dropped_.with([&](Dropped& waiting) {
      dropping_ = false;
      return std::exchange(waiting, {});
    });
    std::vector<Position> heads;
    for (const auto& [log, seq] : dropped.heads) heads.emplace_back(log, seq);
    broker_->on_dropped(heads, dropped.recorded);
  }

  Loop& loop_;
  std::size_t bytes_max_;
  Broker* broker_ = nullptr;
  std::atomic<std::size_t> queued_bytes_ = 0;
  std::atomic<bool> dropping_ = false;
  Guarded<Dropped> dropped_;
};

// Everything a node is made of, in the order in which it is made.
struct Parts {
  explicit Parts(const Limits& limits)
      : loop(Clock::system()), relay(loop, limits.tail_bytes_max) {}

  Reporters reporters;
  Loop loop;
  Relay relay;
  std::unique_ptr<Store> store;
  std::unique_ptr<Broker> broker;
  std::unique_ptr<Endpoint> endpoint;
};

class EmbeddedNode : public Node {
 public:
  EmbeddedNode(NodeOptions options)
      : options_(std::move(options)),
        generation_(fork_generation()),
        parts_(std::make_unique<Parts>(options_.limits)) {}

  ~EmbeddedNode() override {
    if (forked()) {
      // The threads and the files are the parent's; nothing of them may be touched.
      (void)parts_.release();
    } else {
      close();
    }
  }

  Status start();

  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override {
    if (auto status = usable(); !status) return status;
    return parts_->store->submit(std::move(batch), std::move(listener), token);
  }

  SubscriptionId open(SubscribeOptions options, ListenerPtr listener) override {
    if (auto status = usable(); !status) {
      listener->notify(Ended{1, status.error()});
      return 1;
    }
    Broker& broker = *parts_->broker;
    const SubscriptionId id = broker.new_id();
    const bool taken = parts_->loop.post([&broker, id, listener, options = std::move(options)] {
      broker.open(id, options, listener);
    });
    if (!taken) listener->notify(Ended{id, closed_error()});
    return id;
  }

  void change(SubscriptionId id, std::vector<std::string> filters,
              std::string attributes) override {
    if (!usable()) return;
    parts_->loop.post(
        [&broker = *parts_->broker, id, filters = std::move(filters),
         attributes = std::move(attributes)] { broker.change(id, filters, attributes); });
  }

  void settle(SubscriptionId id, std::span<const Position> positions, Settle how,
              Duration delay) override {
    if (!usable() || positions.empty()) return;
    parts_->loop.post([&broker = *parts_->broker, id, how, delay,
                       kept = std::vector<Position>(positions.begin(), positions.end())] {
      broker.settle(id, kept, how, delay);
    });
  }

  void close_subscription(SubscriptionId id) override {
    if (!usable()) return;
    parts_->loop.post([&broker = *parts_->broker, id] { broker.close_subscription(id); });
  }

  void remove_consumer(std::string name, ListenerPtr listener, std::uint64_t token) override {
    Status status = usable();
    if (status) {
      const bool taken =
          parts_->loop.post([&broker = *parts_->broker, name = std::move(name), listener, token] {
            broker.remove_consumer(name, listener, token);
          });
      if (taken) return;
      status = tl::unexpected(closed_error());
    }
    listener->notify(Removed{token, status});
  }

  Result<std::vector<ConsumerInfo>> consumers() override {
    return ask<std::vector<ConsumerInfo>>(
        [](Broker& broker, auto done) { broker.consumers(std::move(done)); });
  }

  Result<std::string> status_json() override {
    return ask<std::string>([](Broker& broker, auto done) { broker.status_json(std::move(done)); });
  }

  const Limits& limits() const override { return options_.limits; }

  Result<LogId> log_id(std::uint32_t log) override {
    if (auto status = usable(); !status) return tl::unexpected(status.error());
    for (const LogRecord& known : parts_->store->logs()) {
      if (known.no == log) return known.id;
    }
    return fail(Errc::NotFound, fmt::format("node: there is no log {} here", log));
  }

  void close() override {
    if (forked() || closed_.exchange(true)) return;
    Parts& parts = *parts_;
    parts.loop.stop([&parts] {
      if (parts.endpoint) parts.endpoint->begin_stop();
      parts.broker->end_all({Errc::Closed, "node: closed (open it again)"});
      parts.broker->flush();
    });
    parts.endpoint.reset();  // its addresses are free again
    if (parts.store) parts.store->close();
  }

  Status health(Duration patience) override {
    if (auto status = usable(); !status) return status;
    const auto answer = std::make_shared<Handoff<Status>>();
    // No consumer has this number: a question that changes nothing.
    constexpr std::uint32_t kNobody = 0;
    const bool taken = parts_->loop.post([&store = *parts_->store, answer] {
      store.remove_consumer(kNobody, [answer](const Status& status) { answer->set(status); });
    });
    if (!taken) return tl::unexpected(closed_error());
    const auto status = answer->wait_until(std::chrono::steady_clock::now() + patience);
    if (!status) {
      return fail(Errc::TimedOut, fmt::format("node: no answer from its loop and writer within {}",
                                              duration_text(patience)));
    }
    return *status || status->error().code == Errc::NotFound ? Status() : *status;
  }

  const std::string& name() const override { return options_.name; }
  const std::string& id() const override { return id_; }
  std::vector<std::string> endpoints() const override { return endpoints_; }
  void add_reporter(std::string key, Reporter& reporter) override {
    parts_->reporters.add(std::move(key), reporter);
  }
  void remove_reporter(std::string_view key) override { parts_->reporters.remove(key); }

 private:
  bool forked() const { return fork_generation() != generation_; }
  static Error closed_error() { return {Errc::Closed, "node: closed (open it again)"}; }

  Status usable() const {
    if (forked()) {
      return fail(Errc::Forked,
                  "node: opened before fork(), and of use in the parent only (open "
                  "another one in the child, or connect to this one)");
    }
    return closed_ ? Status(tl::unexpected(closed_error())) : Status();
  }

  // Asks on the loop thread and waits.
  template <class Value, class Ask>
  Result<Value> ask(Ask question) {
    if (auto status = usable(); !status) return tl::unexpected(status.error());
    const auto answer = std::make_shared<Handoff<Value>>();
    const bool taken = parts_->loop.post([&broker = *parts_->broker, answer, question] {
      question(broker, [answer](Value value) { answer->set(std::move(value)); });
    });
    if (!taken) return tl::unexpected(closed_error());
    auto value = answer->wait_until(std::chrono::steady_clock::now() + kAnswerWithin);
    if (value) return std::move(*value);
    return fail(Errc::TimedOut, "node: no answer from its loop within 30s");
  }

  NodeOptions options_;
  std::uint64_t generation_;
  std::unique_ptr<Parts> parts_;
  std::string id_;
  std::vector<std::string> endpoints_;
  std::atomic<bool> closed_ = false;
};

Status EmbeddedNode::start() {
  if (options_.name.empty()) options_.name = host_name();
  if (auto status = check_name("node", options_.name, options_.limits); !status) return status;
  auto streams = StreamTable::make(options_.streams, options_.durability);
  if (!streams) return tl::unexpected(streams.error());
  Log& log = options_.log != nullptr ? *options_.log : Log::none();
  auto store = Store::open({.data_dir = options_.data_dir,
                            .node_name = options_.name,
                            .streams = std::move(*streams),
                            .max_bytes = options_.max_bytes,
                            .reserve_free_share = options_.reserve_free_share,
                            .limits = options_.limits,
                            .vfs = {}},
                           parts_->relay, log);
  if (!store) return tl::unexpected(store.error());
  parts_->store = std::move(*store);
  id_ = parts_->store->node_id();
  parts_->broker = std::make_unique<Broker>(
      *parts_->store, [this](Loop::Task task) { parts_->loop.post(std::move(task)); },
      Broker::Options{.limits = options_.limits,
                      .name = options_.name,
                      .data_dir = std::filesystem::absolute(options_.data_dir).string(),
                      .log = options_.log,
                      .reporters = &parts_->reporters});
  parts_->relay.set(*parts_->broker);
  std::vector<LoopPart*> loop_parts;
  if (!options_.listen.empty()) {
    auto endpoint = Endpoint::open({.listen = options_.listen,
                                    .limits = options_.limits,
                                    .node_name = options_.name,
                                    .node_id = id_,
                                    .log = options_.log},
                                   *parts_->broker, *parts_->store);
    if (!endpoint) return tl::unexpected(endpoint.error());
    parts_->endpoint = std::move(*endpoint);
    endpoints_ = parts_->endpoint->endpoints();
    loop_parts.push_back(parts_->endpoint.get());
  }
  parts_->loop.start(*parts_->broker, std::move(loop_parts));
  return {};
}

}  // namespace

Result<std::unique_ptr<Node>> Node::open(NodeOptions options) {
  auto node = std::make_unique<EmbeddedNode>(std::move(options));
  if (auto status = node->start(); !status) return tl::unexpected(status.error());
  return node;
}

}  // namespace marram
