#include "core/client/client.h"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "core/base/quantity.h"
#include "core/client/io_thread.h"
#include "core/event/topic.h"
#include "core/wire/address.h"
#include "core/wire/encode.h"

namespace marram {

namespace {

using client::Answer;
using client::IoThread;
using client::Question;

class RemoteClient : public Client {
 public:
  RemoteClient(ClientOptions options, std::unique_ptr<IoThread> io, wire::Welcome welcome)
      : options_(std::move(options)),
        io_(std::move(io)),
        node_name_(std::move(welcome.node_name)),
        node_id_(std::move(welcome.node_id)),
        limits_(welcome.limits) {
    limits_.queued_bytes_max = options_.limits.queued_bytes_max;
  }

  ~RemoteClient() override {
    if (forked()) {
      // Its threads and sockets are the parent's.
      [[maybe_unused]] auto* const left = io_.release();
    } else {
      close();
    }
  }

  const std::string& node_name() const override { return node_name_; }
  const std::string& node_id() const override { return node_id_; }
  const Limits& limits() const override { return limits_; }

  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override {
    if (auto status = usable(); !status) return status;
    for (const EventView& event : batch->events()) {
      if (auto status = check_fits(event); !status) return status;
    }
    const std::size_t bytes = batch->bytes();
    auto& queued = io_->queued_bytes();
    const std::size_t before = queued.fetch_add(bytes);
    if (before > 0 && before + bytes > limits_.queued_bytes_max) {
      queued.fetch_sub(bytes);
      return fail(Errc::Overloaded, fmt::format("client: {} wait for an answer of {} already (try "
                                                "again, or raise limits.queued_bytes_max)",
                                                bytes_text(before), options_.endpoint));
    }
    client::Command command = client::SubmitCommand{std::move(batch), std::move(listener), token};
    if (io_->offer(command)) return {};
    batch = std::move(std::get<client::SubmitCommand>(command).batch);
    queued.fetch_sub(bytes);
    return tl::unexpected(closed());
  }

  SubscriptionId open(SubscribeOptions options, ListenerPtr listener) override {
    const SubscriptionId id = next_id_.fetch_add(1);
    auto status = usable();
    if (status && !io_->post(client::OpenCommand{id, std::move(options), listener})) {
      status = tl::unexpected(closed());
    }
    if (!status) listener->notify(Ended{id, status.error()});
    return id;
  }

  void change(SubscriptionId id, std::vector<std::string> filters,
              std::string attributes) override {
    if (!usable()) return;
    io_->post(client::ChangeCommand{id, std::move(filters), std::move(attributes)});
  }

  void settle(SubscriptionId id, std::span<const Position> positions, Settle how,
              Duration delay) override {
    if (!usable()) return;
    io_->post(client::SettleCommand{id, {positions.begin(), positions.end()}, how, delay});
  }

  void close_subscription(SubscriptionId id) override {
    if (usable()) io_->post(client::CloseCommand{id});
  }

  Result<std::vector<ConsumerInfo>> consumers() override {
    return ask<std::vector<ConsumerInfo>>({.what = Question::What::Consumers});
  }
  Result<std::string> status_json() override {
    return ask<std::string>({.what = Question::What::Status});
  }
  Result<LogId> log_id(std::uint32_t log) override {
    return ask<LogId>({.what = Question::What::Log, .log = log});
  }

  void remove_consumer(std::string name, ListenerPtr listener, std::uint64_t token) override {
    auto status = usable();
    if (status && !io_->post(client::RemoveCommand{std::move(name), listener, token})) {
      status = tl::unexpected(closed());
    }
    if (!status) listener->notify(Removed{token, std::move(status)});
  }

  void await_level(const Level& level, std::vector<Position> positions, Duration patience,
                   ListenerPtr listener, std::uint64_t token) override {
    auto status = usable();
    const auto until = std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
    if (positions.size() > wire::kAwaitedMax) {
      status = fail(Errc::TooLarge, fmt::format("client: {} positions to wait for, at most {}",
                                                positions.size(), wire::kAwaitedMax));
    } else if (status && !io_->post(client::Awaiting{level, std::move(positions), until + patience,
                                                     listener, token})) {
      status = tl::unexpected(closed());
    }
    if (!status) listener->notify(Reached{token, tl::unexpected(status.error())});
  }

  void close() override {
    if (forked() || closed_.exchange(true)) return;
    io_->stop();
  }

 private:
  bool forked() const { return generation_ != fork_generation(); }

  Error closed() const {
    if (closed_) return {Errc::Closed, "client: closed"};
    return {Errc::Unreachable, fmt::format("client: lost {} (connect again)", options_.endpoint)};
  }

  Status usable() const {
    if (forked()) {
      return fail(Errc::Forked, "client: used after fork() (connect again in the child)");
    }
    return closed_ ? Status(tl::unexpected(closed())) : Status();
  }

  Status check_fits(const EventView& event) const {
    const std::size_t bytes = wire::frame_bytes(event);
    if (bytes + 64 <= limits_.frame_bytes_max) return {};
    return fail(Errc::TooLarge, fmt::format("client: an event takes {} bytes of a frame, over the "
                                            "limit of {} (raise limits.frame_bytes_max)",
                                            bytes, limits_.frame_bytes_max));
  }

  template <class Kind>
  Result<Kind> ask(Question question) {
    if (auto status = usable(); !status) return tl::unexpected(status.error());
    const auto handoff = std::make_shared<Handoff<Result<Answer>>>();
    const auto deadline = std::chrono::steady_clock::now() + options_.silent_after;
    question.answer = handoff;
    question.expires = std::chrono::time_point_cast<Duration>(deadline);
    if (!io_->post(std::move(question))) return tl::unexpected(closed());
    auto answer = handoff->wait_until(deadline);
    if (!answer) {
      return fail(io_->ready() ? Errc::TimedOut : Errc::Unreachable,
                  fmt::format("client: cannot reach {}: no answer in {} (is the node running? "
                              "marram run)",
                              options_.endpoint, duration_text(options_.silent_after)));
    }
    if (!*answer) return tl::unexpected(answer->error());
    return std::get<Kind>(std::move(**answer));
  }

  const ClientOptions options_;
  const std::uint64_t generation_ = fork_generation();
  std::unique_ptr<IoThread> io_;
  std::string node_name_;
  std::string node_id_;
  Limits limits_;
  std::atomic<bool> closed_ = false;
  std::atomic<SubscriptionId> next_id_ = 1;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(ClientOptions options) {
  if (auto address = wire::parse_address("client", options.endpoint); !address) {
    return tl::unexpected(address.error());
  }
  if (options.name.empty()) options.name = ::program_invocation_short_name;
  if (auto status = check_name("client", options.name, options.limits); !status) {
    return tl::unexpected(status.error());
  }
  if (options.silent_after <= Duration(0)) {
    return fail(Errc::Invalid, "client: silent_after must be more than 0");
  }
  auto io = std::make_unique<IoThread>(
      IoThread::Options{.session = {.name = options.name,
                                    .instance = random_hex(16),
                                    .endpoint = options.endpoint,
                                    .silent_after = options.silent_after},
                        .reconnect = options.reconnect,
                        .log = options.log});
  io->start();
  auto welcome = io->wait_greeted(options.connect_timeout);
  if (!welcome) {
    return fail(Errc::Unreachable,
                fmt::format("client: cannot reach {}: no answer in {} (is the node running? marram "
                            "run)",
                            options.endpoint, duration_text(options.connect_timeout)));
  }
  if (!*welcome) return tl::unexpected(welcome->error());
  return std::make_unique<RemoteClient>(std::move(options), std::move(io), std::move(**welcome));
}

}  // namespace marram
