#include "core/node/publish_queue.h"

#include <algorithm>

#include "core/base/assert.h"

namespace marram {

namespace {

// Adds the outcome of one event, to the last run where it fits.
void add_stored(std::vector<wire::Run>& runs, const EventView& event) {
  if (!runs.empty()) {
    wire::Run& last = runs.back();
    const auto next = last.position.packed() + static_cast<std::int64_t>(last.count);
    if (!last.error && last.recorded == event.recorded && next == event.position.packed()) {
      ++last.count;
      return;
    }
  }
  runs.push_back({1, event.position, event.recorded, std::nullopt});
}

void add_refused(std::vector<wire::Run>& runs, const Error& error) {
  if (!runs.empty() && runs.back().error && runs.back().error->code == error.code &&
      runs.back().error->message == error.message) {
    ++runs.back().count;
    return;
  }
  runs.push_back({1, {}, {}, error});
}

}  // namespace

void PublishQueue::add(std::uint64_t number, std::size_t bytes, std::size_t events,
                       Refusals refused) {
  const bool all_refused = refused.size() == events;
  frames_.push_back({number, bytes, events, std::move(refused), all_refused, {}});
  bytes_ += bytes;
  if (all_refused) finish(frames_.back(), nullptr);
}

void PublishQueue::on_stored(const Published& published) {
  const auto waiting = std::ranges::find_if(frames_, [](const Frame& f) { return !f.stored; });
  MARRAM_ASSERT(waiting != frames_.end(), "the store answers what it was given, once");
  waiting->stored = true;
  finish(*waiting, &published);
}

void PublishQueue::finish(Frame& frame, const Published* published) {
  auto refusal = frame.refused.begin();
  std::size_t at = 0;  // in the batch
  for (std::size_t i = 0; i < frame.events; ++i) {
    if (refusal != frame.refused.end() && refusal->first == i) {
      add_refused(frame.runs, refusal->second);
      ++refusal;
      continue;
    }
    const bool failed = !published->results.empty() && !published->results[at];
    failed ? add_refused(frame.runs, published->results[at].error())
           : add_stored(frame.runs, published->batch->events()[at]);
    ++at;
  }
}

std::optional<wire::PublishAnswer> PublishQueue::take() {
  if (frames_.empty() || !frames_.front().stored) return {};
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  bytes_ -= frame.bytes;
  return wire::PublishAnswer{frame.number, std::move(frame.runs)};
}

}  // namespace marram
