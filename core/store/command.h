// What the writer is asked to do.
#pragma once

#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "core/event/bus.h"
#include "core/store/records.h"

namespace marram::store {

struct SubmitCommand {
  std::unique_ptr<EventBatch> batch;
  ListenerPtr listener;
  std::uint64_t token = 0;
};

struct PutConsumerCommand {
  ConsumerRecord record;
  std::function<void(Result<std::uint32_t>)> done;
};

struct RemoveConsumerCommand {
  std::uint32_t no = 0;
  std::function<void(Status)> done;
};

struct SaveCursorsCommand {
  std::vector<CursorMove> moves;
};

// A reader has met a damaged page.
struct CheckCommand {};

using Command = std::variant<SubmitCommand, PutConsumerCommand, RemoveConsumerCommand,
                             SaveCursorsCommand, CheckCommand>;

}  // namespace marram::store
