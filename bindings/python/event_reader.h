// Events as Python writes them, read in one pass into a batch for the store.
//
// An item is a marram.Event, a tuple (topic, payload) or, with a topic for all,
// a payload: bytes, str, or whatever offers its bytes as a buffer.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/event/event.h"

namespace marram::python {

class EventReader {
 public:
  // `topic` is for items that are payloads only; empty: there are none.
  EventReader(const Limits& limits, std::string topic, UuidMaker& ids)
      : limits_(limits), topic_(std::move(topic)), ids_(ids) {}

  // Checks `item` and adds it to `batch`.
  // Raises marram.Invalid, TooLarge, Refused, TypeError; `batch` is as before then.
  void add(pybind11::handle item, EventBatch& batch);

  // Takes from the iterator `items` until the batch is as large as one should be,
  // or they end; null when there were none.  With `first`, the number of the first
  // item, errors name the item by its number.
  std::unique_ptr<EventBatch> read(pybind11::handle items, std::optional<std::size_t> first);

 private:
  void add_event(pybind11::handle event, EventBatch& batch);
  void add_payload(EventView& view, pybind11::handle payload, EventBatch& batch);

  const Limits& limits_;
  const std::string topic_;
  UuidMaker& ids_;
  const WallTime now_ = Clock::system().wall();
  std::string headers_;
};

}  // namespace marram::python
