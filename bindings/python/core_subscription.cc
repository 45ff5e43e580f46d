#include "bindings/python/core_subscription.h"

#include <algorithm>
#include <iterator>

#include "bindings/python/errors.h"
#include "bindings/python/objects.h"
#include "bindings/python/waiting.h"

namespace py = pybind11;

namespace marram::python {

namespace {

constexpr std::size_t kTakenAtOnce = 512;

using Fetched = Result<std::vector<Delivery>>;

}  // namespace

CoreSubscription::CoreSubscription(std::shared_ptr<CoreBus> bus,
                                   std::unique_ptr<Subscription> subscription)
    : bus_(std::move(bus)), subscription_(std::move(subscription)) {}

CoreSubscription::~CoreSubscription() {
  if (bus_->forked()) static_cast<void>(subscription_.release());
}

bool CoreSubscription::fill(std::optional<std::int64_t> timeout_micros) {
  if (next_ < ready_.size()) return true;
  bus_->use();
  const InCall call(bus_->calls());
  std::vector<Gap> gaps;
  const auto attempt = [&](std::chrono::steady_clock::time_point until) -> std::optional<Fetched> {
    if (closed_) return fail(Errc::Closed, "this subscription has been closed (open a new one)");
    const auto left =
        std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
    auto fetched = subscription_->fetch(kTakenAtOnce, std::max(left, Duration(0)));
    gaps = subscription_->take_gaps();
    if (fetched && fetched->empty() && gaps.empty()) return {};
    return fetched;
  };
  auto fetched = timeout_micros == 0 ? attempt(std::chrono::steady_clock::now())
                                     : wait_in_slices(deadline_after(timeout_micros), attempt);
  if (!fetched) return false;
  std::move(gaps.begin(), gaps.end(), std::back_inserter(gaps_));
  ready_ = value(std::move(*fetched));
  next_ = 0;
  return true;
}

py::object CoreSubscription::pop(py::handle source) {
  if (next_ == ready_.size()) return py::none();
  const Delivery delivery = std::move(ready_[next_++]);
  return make_event(delivery, source);
}

py::list CoreSubscription::pop_many(py::handle source, std::size_t max) {
  py::list events;
  while (next_ < ready_.size() && events.size() < max) events.append(pop(source));
  return events;
}

void CoreSubscription::ack(const std::vector<Place>& places) {
  bus_->use();
  std::vector<Position> positions;
  positions.reserve(places.size());
  for (const auto& [log, seq] : places) positions.emplace_back(log, seq);
  subscription_->ack(positions);
}

void CoreSubscription::nack(Place place, std::int64_t delay_micros) {
  bus_->use();
  subscription_->nack(Position(place.first, place.second), Duration(delay_micros));
}

std::vector<Gap> CoreSubscription::take_gaps() { return std::exchange(gaps_, {}); }

void CoreSubscription::close() {
  if (bus_->forked() || closed_.exchange(true)) return;
  const InCall call(bus_->calls());
  without_gil([&] { subscription_->close(); });
}

}  // namespace marram::python
