// Publishes what a PayloadSource has, many at a time.
//
// It keeps a bounded number of batches on their way, so that a pipe into
// `marram pub -l` runs at the node's pace, and a lone line goes out at once.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/event/bus.h"
#include "gateway/cli/payload_source.h"

namespace marram::cli {

class PublishPump {
 public:
  struct Options {
    Event event;                                  // its payload is filled in
    Duration timeout = std::chrono::seconds(30);  // for an answer
    Level level;                                  // to wait for, as long as the timeout
    // With position; may be empty.  `pending`: the level was not reached in time.
    std::function<void(const EventView&, bool pending)> on_stored;
    std::function<void(std::uint64_t number, const Error&)> on_refused;  // from 1
  };
  struct Totals {
    std::uint64_t stored = 0;
    std::uint64_t pending = 0;  // of them: the level was not reached in time
    std::uint64_t refused = 0;
    std::optional<Error> first_error;
  };

  PublishPump(Bus& bus, PayloadSource& source, Options options);

  // Until the source ends and everything is answered.
  //
  // Errors: TimedOut  the node does not answer; what was not answered may be stored
  //         Closed, Io, TooLarge  nothing more can be published or read
  //         Unsupported, NotFound  there is no such level; nothing was published
  Result<Totals> run();

 private:
  struct OnItsWay {
    std::vector<std::uint64_t> numbers;  // of its events
    TimePoint until;
  };

  struct Stored {
    Published answer;
    std::vector<std::uint64_t> numbers;
  };

  // True when it left off for want of payloads.
  Result<bool> fill();
  Status submit();
  bool take_answers();
  void settle(Published answer);
  void finish(const Stored& batch, bool pending);
  std::size_t unfinished() const { return on_their_way_.size() + stored_.size(); }
  void refuse(std::uint64_t number, const Error& error);
  Status wait();

  Bus& bus_;
  PayloadSource& source_;
  Options options_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::vector<Notice> notices_;
  UuidMaker ids_;
  std::string headers_;                 // packed
  EventView view_;                      // of options_.event
  std::unique_ptr<EventBatch> batch_;   // being filled
  std::vector<std::uint64_t> numbers_;  // of the events in it
  bool overloaded_ = false;             // wait for an answer before the next submit
  std::deque<OnItsWay> on_their_way_;
  std::map<std::uint64_t, Stored> stored_;  // by token: wait for their level
  std::uint64_t next_token_ = 1;
  std::uint64_t number_ = 0;
  Totals totals_;
};

}  // namespace marram::cli
