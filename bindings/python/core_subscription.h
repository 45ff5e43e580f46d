// A subscription as Python holds it: what has come is kept here and becomes
// Python objects one by one, as they are asked for.
//
// Everything is called with the GIL.  fill() by one thread at a time; the rest
// by any.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/python/core_bus.h"
#include "core/event/bus.h"

namespace marram::python {

class CoreSubscription {
 public:
  CoreSubscription(std::shared_ptr<CoreBus> bus, std::unique_ptr<Subscription> subscription);
  ~CoreSubscription();

  // Waits until there is something to pop or a gap to take; false when the time
  // passed.  No timeout: for ever.  A timeout of 0 does not let go of the GIL.
  // Raises what ended the subscription; Closed after close().
  bool fill(std::optional<std::int64_t> timeout_micros);

  // The next marram.Event, or None; `source` is the one its ack() goes to.
  pybind11::object pop(pybind11::handle source);
  pybind11::list pop_many(pybind11::handle source, std::size_t max);

  // Positions as (log, seq).
  using Place = std::pair<std::uint32_t, std::uint64_t>;
  void ack(const std::vector<Place>& places);
  void nack(Place place, std::int64_t delay_micros);

  std::vector<Gap> take_gaps();
  int fd() const { return subscription_->fd(); }
  void close();
  bool closed() const { return closed_ || bus_->closed(); }

 private:
  std::shared_ptr<CoreBus> bus_;
  std::unique_ptr<Subscription> subscription_;
  std::atomic<bool> closed_ = false;
  std::vector<Delivery> ready_;
  std::size_t next_ = 0;
  std::vector<Gap> gaps_;
};

}  // namespace marram::python
