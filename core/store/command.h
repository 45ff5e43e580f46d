// What the writer is asked to do.
#pragma once

#include <functional>
#include <memory>
#include <string>
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

struct WriteCopyCommand {
  CopyWrite write;
  std::function<void(Result<std::uint32_t>)> done;
};

struct PutHoldCommand {
  HoldRecord hold;
  std::function<void(Status)> done;
};

struct RemoveHoldCommand {
  std::string peer;
  std::string stream;
  std::function<void(Status)> done;
};

struct MoveHoldsCommand {
  std::vector<HoldMove> moves;
  WallTime contact{};
};

struct SetPinsCommand {
  std::vector<Pin> pins;
};

struct SaveFactsCommand {
  MeshFacts facts;
};

struct EndEpochCommand {
  std::function<void(Status)> done;
};

struct ForgetLogCommand {
  std::uint32_t log = 0;
  std::function<void(Status)> done;
};

using Command = std::variant<SubmitCommand, PutConsumerCommand, RemoveConsumerCommand,
                             SaveCursorsCommand, CheckCommand, WriteCopyCommand, PutHoldCommand,
                             RemoveHoldCommand, MoveHoldsCommand, SetPinsCommand, SaveFactsCommand,
                             EndEpochCommand, ForgetLogCommand>;

}  // namespace marram::store
