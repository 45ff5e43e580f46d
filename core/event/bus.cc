#include "core/event/bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/quantity.h"

namespace marram {

namespace {

// Keeps the one answer that a blocking call waits for.
class Answer : public Listener {
 public:
  void notify(Notice notice) override { handoff_.set(std::move(notice)); }

  template <class Kind>
  std::optional<Kind> wait(Duration timeout) {
    auto notice = handoff_.wait_until(std::chrono::steady_clock::now() + timeout);
    if (!notice) return {};
    return std::get<Kind>(std::move(*notice));
  }

 private:
  Handoff<Notice> handoff_;
};

UuidMaker& this_threads_ids() {
  thread_local UuidMaker ids;
  return ids;
}

tl::unexpected<Error> in_event(std::size_t index, std::size_t count, const Error& error) {
  if (count == 1) return tl::unexpected(error);
  return fail(error.code, fmt::format("event {} of {}: {}", index + 1, count, error.message));
}

// Checks all events before any is taken.
Result<std::unique_ptr<EventBatch>> make_batch(std::span<const Event> events,
                                               const Limits& limits) {
  auto batch = std::make_unique<EventBatch>();
  const WallTime now = Clock::system().wall();
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto headers = pack_headers(events[i].headers);
    if (!headers) return in_event(i, events.size(), headers.error());
    batch->add(events[i], *headers, now, this_threads_ids());
    if (auto status = check_event(batch->events().back(), limits); !status) {
      return in_event(i, events.size(), status.error());
    }
  }
  return batch;
}

Result<Published> submit_and_wait(Bus& bus, std::unique_ptr<EventBatch> batch, Duration timeout) {
  const auto answer = std::make_shared<Answer>();
  if (auto status = bus.submit(std::move(batch), answer, 0); !status) {
    return tl::unexpected(status.error());
  }
  auto published = answer->wait<Published>(timeout);
  if (published) return std::move(*published);
  return fail(Errc::TimedOut, fmt::format("publish: not stored within {} (it may be stored later; "
                                          "publish again with the same id)",
                                          duration_text(timeout)));
}

}  // namespace

// NOLINTBEGIN(performance-unnecessary-value-param): who overrides it keeps them.
void Bus::await_level(const Level& level, std::vector<Position> /*positions*/,
                      Duration /*patience*/, ListenerPtr listener, std::uint64_t token) {
  listener->notify(Reached{
      token, fail(Errc::Unsupported,
                  fmt::format("publish: level {} is not to be had here", level_text(level)))});
}
// NOLINTEND(performance-unnecessary-value-param)

Result<bool> Bus::reach(const Level& level, std::vector<Position> positions, Duration patience) {
  const auto answer = std::make_shared<Answer>();
  await_level(level, std::move(positions), patience, answer, 0);
  // The answer comes by itself; more time than that only a node that hangs takes.
  auto reached = answer->wait<Reached>(patience + std::chrono::seconds(5));
  return reached ? std::move(reached->reached) : false;
}

Result<Receipt> Bus::publish(const Event& event, Duration timeout, const Level& level) {
  auto receipts = publish_many({&event, 1}, timeout, level);
  if (!receipts) return tl::unexpected(receipts.error());
  return std::move(receipts->front());
}

Result<std::vector<Receipt>> Bus::publish_many(std::span<const Event> events, Duration timeout,
                                               const Level& level) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::vector<Receipt> receipts;
  if (events.empty()) return receipts;
  if (level.at != Level::At::Stored) {
    const auto known = reach(level, {}, timeout);
    if (!known) return tl::unexpected(known.error());
  }
  auto batch = make_batch(events, limits());
  if (!batch) return tl::unexpected(batch.error());
  const auto published = submit_and_wait(*this, std::move(*batch), timeout);
  if (!published) return tl::unexpected(published.error());
  for (std::size_t i = 0; i < published->results.size(); ++i) {
    const Status& result = published->results[i];
    if (!result) return in_event(i, events.size(), result.error());
  }
  bool pending = false;
  if (level.at != Level::At::Stored) {
    const auto left = deadline - std::chrono::steady_clock::now();
    const auto reached = reach(level, highest(*published->batch),
                               std::max(std::chrono::duration_cast<Duration>(left), Duration(0)));
    pending = !reached.value_or(false);  // whatever goes wrong now, it is stored
  }
  receipts.reserve(events.size());
  for (const EventView& event : published->batch->events()) {
    receipts.push_back({event.id_text(), event.position, event.recorded, pending});
  }
  return receipts;
}

Status Bus::remove_consumer(const std::string& name) {
  const auto answer = std::make_shared<Answer>();
  remove_consumer(name, answer, 0);
  const auto removed = answer->wait<Removed>(std::chrono::seconds(30));
  if (removed) return removed->status;
  return fail(Errc::TimedOut, "consumer: no answer within 30s (try again)");
}

Result<std::unique_ptr<Subscription>> Bus::subscribe(SubscribeOptions options) {
  auto subscription = std::make_unique<Subscription>(*this, std::move(options));
  if (auto status = subscription->open(); !status) return tl::unexpected(status.error());
  return subscription;
}

Subscription::Subscription(Bus& bus, SubscribeOptions options)
    : bus_(bus), options_(std::move(options)) {}

Subscription::~Subscription() { close(); }

Status Subscription::open() {
  id_ = bus_.open(options_, inbox_);
  return wait_opened();
}

Status Subscription::wait_opened() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    while (inbox_->take(notices_)) {
      bool opened = false;
      for (Notice& notice : notices_) {
        opened = opened || std::holds_alternative<Opened>(notice);
        sort(std::move(notice));
      }
      if (ended_) return tl::unexpected(*ended_);
      if (opened) return {};
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (!inbox_->wait(std::chrono::duration_cast<Duration>(left))) {
      return fail(Errc::TimedOut, "subscribe: no answer within 30s (try again)");
    }
  }
}

void Subscription::sort(Notice&& notice) {
  if (auto* delivered = std::get_if<Delivered>(&notice)) {
    for (const std::uint32_t index : delivered->indices) {
      waiting_.push_back(
          {delivered->batch, &delivered->batch->events()[index], delivered->attempt});
    }
  } else if (auto* skipped = std::get_if<Skipped>(&notice)) {
    gaps_.with([&](std::vector<Gap>& gaps) { gaps.push_back(std::move(skipped->gap)); });
  } else if (auto* ended = std::get_if<Ended>(&notice)) {
    ended_ = std::move(ended->error);
  }
}

Result<std::vector<Delivery>> Subscription::fetch(std::size_t max,
                                                  std::optional<Duration> timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout.value_or(Duration(0));
  while (next_ == waiting_.size()) {
    waiting_.clear();
    next_ = 0;
    if (inbox_->take(notices_)) {
      for (Notice& notice : notices_) sort(std::move(notice));
      continue;
    }
    if (ended_) return tl::unexpected(*ended_);
    const auto left =
        std::chrono::duration_cast<Duration>(deadline - std::chrono::steady_clock::now());
    if (timeout && left <= Duration(0)) return std::vector<Delivery>();
    inbox_->wait(timeout ? std::optional(left) : std::nullopt);
  }
  const std::size_t count = std::min(max, waiting_.size() - next_);
  const auto first = waiting_.begin() + static_cast<std::ptrdiff_t>(next_);
  std::vector<Delivery> taken(std::make_move_iterator(first),
                              std::make_move_iterator(first + static_cast<std::ptrdiff_t>(count)));
  next_ += count;
  if (options_.auto_settle) {
    std::vector<Position> positions;
    positions.reserve(taken.size());
    for (const Delivery& delivery : taken) positions.push_back(delivery.event->position);
    ack(positions);
  }
  return taken;
}

void Subscription::ack(Position position) { ack({&position, 1}); }

void Subscription::ack(std::span<const Position> positions) {
  bus_.settle(id_, positions, Settle::Ack);
}

void Subscription::nack(Position position, Duration delay) {
  bus_.settle(id_, {&position, 1}, Settle::Nack, delay);
}

std::vector<Gap> Subscription::take_gaps() {
  return gaps_.with([](std::vector<Gap>& gaps) { return std::exchange(gaps, {}); });
}

void Subscription::close() {
  if (const SubscriptionId id = id_.exchange(0); id != 0) bus_.close_subscription(id);
}

}  // namespace marram
