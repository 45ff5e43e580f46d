#include "core/node/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "core/base/ids.h"
#include "core/base/quantity.h"
#include "core/event/topic.h"
#include "core/node/broker.h"
#include "core/node/endpoint.h"
#include "core/node/loop.h"
#include "core/node/mesh_part.h"
#include "core/node/reporters.h"
#include "core/node/store_events.h"
#include "core/store/store.h"

namespace marram {

namespace {

constexpr auto kAnswerWithin = std::chrono::seconds(30);

Error closed() { return {Errc::Closed, "node: closed (open it again)"}; }
Error forked() {
  return {Errc::Forked, "node: used in a child after fork() (open another node there)"};
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "node";
  return name.data();
}

// Hands an answer of the loop to the caller that waits for it; when nobody answers
// any more, because the node closes, the caller is told so.
template <class T>
class Reply {
 public:
  Reply() = default;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply() {
    if (!answered_) handoff_->set(tl::unexpected(closed()));
  }
  void answer(T value) {
    answered_ = true;
    handoff_->set(std::move(value));
  }
  std::shared_ptr<Handoff<Result<T>>> handoff() const { return handoff_; }

 private:
  std::shared_ptr<Handoff<Result<T>>> handoff_ = std::make_shared<Handoff<Result<T>>>();
  bool answered_ = false;
};

// What a node is made of, in the order in which it is built; torn down in reverse.
struct Parts {
  Parts(NodeOptions the_options, Log& the_log)
      : options(std::move(the_options)),
        log(the_log),
        loop(Clock::system()),
        events(loop, options.limits.tail_bytes_max) {}

  Status open();
  Status open_mesh(const StreamTable& streams, const CurveKey& key);

  const NodeOptions options;
  Log& log;
  Reporters reporters;
  Loop loop;
  StoreEvents events;
  std::unique_ptr<Store> store;
  std::unique_ptr<Broker> broker;
  std::unique_ptr<Endpoint> endpoint;
  std::unique_ptr<MeshPart> mesh;
};

Status Parts::open() {
  auto streams = StreamTable::make(options.streams, options.durability);
  if (!streams) return tl::unexpected(streams.error());
  CurveKey key;
  if (options.mesh.on() && options.mesh.secure()) {
    auto read = read_or_make_key_file(options.mesh.key_file);
    if (!read) return tl::unexpected(read.error());
    key = std::move(*read);
  }
  auto opened = Store::open({.data_dir = options.data_dir,
                             .node_name = options.name,
                             .node_id = node_id_of_key(key.public_key),
                             .streams = *streams,
                             .max_bytes = options.max_bytes,
                             .reserve_free_share = options.reserve_free_share,
                             .limits = options.limits,
                             .vfs = {}},
                            events, log);
  if (!opened) return tl::unexpected(opened.error());
  store = std::move(*opened);
  broker = std::make_unique<Broker>(
      *store, [this](Loop::Task task) { loop.post(std::move(task)); },
      Broker::Options{.limits = options.limits,
                      .name = options.name,
                      .data_dir = std::filesystem::absolute(options.data_dir).string(),
                      .log = &log,
                      .reporters = &reporters,
                      .copies = options.mesh.on()});
  events.set_broker(*broker);
  std::vector<LoopPart*> parts;
  if (!options.listen.empty()) {
    auto bound = Endpoint::open({.listen = options.listen,
                                 .limits = options.limits,
                                 .node_name = options.name,
                                 .node_id = store->node_id(),
                                 .log = &log},
                                *broker, *store);
    if (!bound) return tl::unexpected(bound.error());
    endpoint = std::move(*bound);
    parts.push_back(endpoint.get());
  }
  if (options.mesh.on()) {
    if (auto status = open_mesh(*streams, key); !status) return status;
    parts.push_back(mesh.get());
  }
  loop.start(*broker, std::move(parts));
  return {};
}

Status Parts::open_mesh(const StreamTable& streams, const CurveKey& key) {
  auto made =
      MeshPart::open({.mesh = options.mesh,
                      .key = key,
                      .name = options.name,
                      .streams = streams,
                      .limits = options.limits,
                      .log = &log},
                     *store, *broker, [this](Loop::Task task) { loop.post(std::move(task)); });
  if (!made) return tl::unexpected(made.error());
  mesh = std::move(*made);
  events.set_mesh(*mesh);
  reporters.add("mesh", *mesh);
  return {};
}

class EmbeddedNode : public Node {
 public:
  explicit EmbeddedNode(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {
    if (parts_->endpoint) endpoints_ = parts_->endpoint->endpoints();
    if (parts_->mesh) mesh_endpoints_ = parts_->mesh->endpoints();
  }
  ~EmbeddedNode() override {
    close();
    // In a child after fork() the threads and the files are the parent's.
    if (is_forked()) (void)parts_.release();
  }

  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override {
    if (const auto refusal = refused()) return tl::unexpected(*refusal);
    return parts_->store->submit(std::move(batch), std::move(listener), token);
  }

  SubscriptionId open(SubscribeOptions options, ListenerPtr listener) override {
    const SubscriptionId id = parts_->broker->new_id();
    const auto task = [this, id, options = std::move(options), listener] {
      parts_->broker->open(id, options, listener);
    };
    if (!post(task)) listener->notify(Ended{id, is_forked() ? forked() : closed()});
    return id;
  }

  void change(SubscriptionId id, std::vector<std::string> filters,
              std::string attributes) override {
    post([this, id, filters = std::move(filters), attributes = std::move(attributes)] {
      parts_->broker->change(id, filters, attributes);
    });
  }

  void settle(SubscriptionId id, std::span<const Position> positions, Settle how,
              Duration delay) override {
    post([this, id, list = std::vector<Position>(positions.begin(), positions.end()), how, delay] {
      parts_->broker->settle(id, list, how, delay);
    });
  }

  void close_subscription(SubscriptionId id) override {
    post([this, id] { parts_->broker->close_subscription(id); });
  }

  Result<std::vector<ConsumerInfo>> consumers() override {
    return ask<std::vector<ConsumerInfo>>(
        "consumers", [this](auto done) { parts_->broker->consumers(std::move(done)); });
  }

  void remove_consumer(std::string name, ListenerPtr listener, std::uint64_t token) override {
    const auto task = [this, name = std::move(name), listener, token] {
      parts_->broker->remove_consumer(name, listener, token);
    };
    if (post(task)) return;
    listener->notify(Removed{token, tl::unexpected(is_forked() ? forked() : closed())});
  }

  void await_level(const Level& level, std::vector<Position> positions, Duration patience,
                   ListenerPtr listener, std::uint64_t token) override {
    const auto task = [this, level, positions = std::move(positions), patience, listener, token] {
      parts_->broker->await_level(level, positions, patience, [listener, token](Result<bool> done) {
        listener->notify(Reached{token, std::move(done)});
      });
    };
    if (post(task)) return;
    listener->notify(Reached{token, tl::unexpected(is_forked() ? forked() : closed())});
  }

  Result<std::string> status_json() override {
    return ask<std::string>("status",
                            [this](auto done) { parts_->broker->status_json(std::move(done)); });
  }

  const Limits& limits() const override { return parts_->options.limits; }

  Result<LogId> log_id(std::uint32_t log) override {
    if (const auto refusal = refused()) return tl::unexpected(*refusal);
    const auto logs = parts_->store->logs();
    const auto found = std::find_if(logs.begin(), logs.end(),
                                    [&](const LogRecord& record) { return record.no == log; });
    if (found != logs.end()) return found->id;
    return fail(Errc::NotFound, fmt::format("node: there is no log number {}", log));
  }

  void close() override {
    if (is_forked()) return;
    // Held until all is closed: who comes second returns when it is.
    closed_.with([this](bool& closed_before) {
      if (std::exchange(closed_before, true)) return;
      closing_ = true;
      parts_->loop.stop([this] {
        if (parts_->endpoint) parts_->endpoint->begin_stop();
        parts_->broker->end_all(closed());
      });
      parts_->endpoint.reset();  // its addresses are free again
      parts_->reporters.remove("mesh");
      parts_->store->close();
      parts_->mesh.reset();
    });
  }

  Status health(Duration patience) override {
    if (const auto refusal = refused()) return tl::unexpected(*refusal);
    const auto answer = std::make_shared<Handoff<Status>>();
    // No consumer has this number: a question that changes nothing.
    constexpr std::uint32_t kNobody = 0;
    const bool posted = post([&store = *parts_->store, answer] {
      store.remove_consumer(kNobody, [answer](const Status& status) { answer->set(status); });
    });
    if (!posted) return tl::unexpected(closed());
    const auto status = answer->wait_until(std::chrono::steady_clock::now() + patience);
    if (!status) {
      return fail(Errc::TimedOut, fmt::format("node: no answer from its loop and writer within {}",
                                              duration_text(patience)));
    }
    return *status || status->error().code == Errc::NotFound ? Status() : *status;
  }

  const std::string& name() const override { return parts_->options.name; }
  const std::string& id() const override { return parts_->store->node_id(); }
  std::vector<std::string> endpoints() const override { return endpoints_; }
  std::vector<std::string> mesh_endpoints() const override { return mesh_endpoints_; }

  Status set_trusted_keys(std::vector<std::string> keys) override {
    if (!parts_->mesh) {
      return fail(Errc::Unsupported, "node: it has no mesh (set mesh.listen or mesh.peers)");
    }
    auto answer = ask<Status>(
        "trust", [this, keys](const auto& done) { done(parts_->mesh->set_trusted_keys(keys)); });
    return answer ? *answer : tl::unexpected(answer.error());
  }

  void add_reporter(std::string key, Reporter& reporter) override {
    parts_->reporters.add(std::move(key), reporter);
  }
  void remove_reporter(std::string_view key) override { parts_->reporters.remove(key); }

 private:
  bool is_forked() const { return generation_ != fork_generation(); }
  std::optional<Error> refused() const {
    if (is_forked()) return forked();
    if (closing_) return closed();
    return {};
  }
  bool post(Loop::Task task) { return !is_forked() && parts_->loop.post(std::move(task)); }

  // Waits for what `question` answers on the loop.
  template <class T, class Question>
  Result<T> ask(std::string_view what, Question question) {
    if (const auto refusal = refused()) return tl::unexpected(*refusal);
    auto reply = std::make_shared<Reply<T>>();
    const auto handoff = reply->handoff();
    const bool posted = parts_->loop.post(
        [question, reply] { question([reply](T value) { reply->answer(std::move(value)); }); });
    reply.reset();
    if (!posted) return tl::unexpected(closed());
    auto answer = handoff->wait_until(std::chrono::steady_clock::now() + kAnswerWithin);
    if (answer) return std::move(*answer);
    return fail(Errc::TimedOut,
                fmt::format("node: no answer about {} within 30s (try again)", what));
  }

  const std::uint64_t generation_ = fork_generation();
  std::unique_ptr<Parts> parts_;
  std::vector<std::string> endpoints_;
  std::vector<std::string> mesh_endpoints_;
  std::atomic<bool> closing_ = false;
  Guarded<bool> closed_;
};

}  // namespace

Result<std::unique_ptr<Node>> Node::open(NodeOptions options) {
  if (options.name.empty()) options.name = host_name();
  if (auto status = check_name("node", options.name, options.limits); !status) {
    return tl::unexpected(status.error());
  }
  Log& log = options.log == nullptr ? Log::none() : *options.log;
  auto parts = std::make_unique<Parts>(std::move(options), log);
  if (auto status = parts->open(); !status) return tl::unexpected(status.error());
  return std::make_unique<EmbeddedNode>(std::move(parts));
}

}  // namespace marram
