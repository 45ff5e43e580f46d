#include "core/node/republisher.h"

#include <algorithm>
#include <utility>

#include "core/base/ids.h"

namespace marram {

namespace {

constexpr std::size_t kEventsMax = 512;
constexpr std::size_t kBytesMax = 256 << 10;

}  // namespace

// Gets the store's answers to what was published again.
class Republisher::State : public Listener {
 public:
  State(std::vector<Part> the_parts, Post post, Republisher& to)
      : parts(std::move(the_parts)), post_(std::move(post)), to_(to) {}

  void notify(Notice) override {
    post_([&to = to_] { to.step(); });
  }

  std::vector<Part> parts;  // the last one is at work
  std::uint64_t after = 0;
  std::uint64_t read_upto = 0;
  std::unique_ptr<EventBatch> batch;
  UuidMaker ids;

 private:
  const Post post_;
  Republisher& to_;
};

Republisher::Republisher(Store& store, Post post, Log& log)
    : store_(store), post_(std::move(post)), log_(log) {}

void Republisher::begin(std::vector<Part> parts) {
  if (state_) {
    state_->parts.insert(state_->parts.begin(), parts.begin(), parts.end());
    return;
  }
  state_ = std::make_shared<State>(std::move(parts), post_, *this);
  step();
}

// What was submitted is stored: on to the next stretch.
void Republisher::step() {
  auto& parts = state_->parts;
  state_->after = std::max(state_->after, state_->read_upto);
  while (!parts.empty() && state_->after >= parts.back().upto) {
    parts.pop_back();
    state_->after = state_->read_upto = 0;
  }
  if (parts.empty()) {
    log_.info("mesh", "what this run had published is published again");
    return state_.reset();
  }
  store_.read({.log = parts.back().log,
               .after = state_->after,
               .filters = {},
               .events_max = kEventsMax,
               .bytes_max = kBytesMax},
              [this, post = post_](Result<ReadResult> read) {
                post([this, read = std::move(read)]() mutable { on_read(std::move(read)); });
              });
}

void Republisher::on_read(Result<ReadResult> read) {
  if (!read || read->upto <= state_->after) {
    const std::string why = read ? "nothing more is there" : read.error().message;
    log_.error("mesh", "cannot read what is to be published again: " + why);
    return state_.reset();
  }
  const std::uint64_t last = state_->parts.back().upto;
  state_->read_upto = std::min(read->upto, last);
  state_->batch = std::make_unique<EventBatch>();
  for (EventView event : read->batch->events()) {
    if (event.position.seq() > last) break;
    event.position = {};
    state_->batch->add(event, event.time, state_->ids);
  }
  submit();
}

void Republisher::submit() {
  if (state_->batch->empty()) return step();
  if (auto status = store_.submit(std::move(state_->batch), state_, 0); !status) {
    // Whoever publishes keeps the store busy; it has room again when it has told the loop.
    if (status.error().code == Errc::Overloaded) {
      return post_([this] { submit(); });
    }
    log_.error("mesh", "cannot publish again: " + status.error().message);
    state_.reset();
  }
}

}  // namespace marram
