// What a mesh part does for its mesh.
#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/node/mesh_part.h"
#include "core/node/republisher.h"

namespace marram {

// Actions that have consequences in the mesh add to the list while it is carried out.
void MeshPart::carry_out() {
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    mesh::Action action = std::move(actions_[i]);
    std::visit([&](auto& one) { act(one); }, action);
  }
  actions_.clear();
}

void MeshPart::act(mesh::WriteCopy& write) {
  store_.write_copy(
      std::move(write.write), [this, post = post_, token = write.token](Result<std::uint32_t> log) {
        post([this, token, log = std::move(log)] { mesh_->on_written(token, log, now(), news()); });
      });
}

void MeshPart::act(mesh::ReadEvents& read) {
  if (auto result = read_memory(read)) {
    mesh_->on_read(read.token, std::move(*result), now(), news());
    return;
  }
  std::vector<FilterRecord> filters;
  filters.reserve(read.filters.size());
  for (std::string& filter : read.filters) filters.push_back({std::move(filter), {}});
  store_.read({.log = read.log,
               .after = read.after,
               .filters = std::move(filters),
               .events_max = read.events_max,
               .bytes_max = read.bytes_max},
              [this, post = post_, token = read.token](Result<ReadResult> result) {
                post([this, token, result = std::move(result)]() mutable {
                  mesh_->on_read(token, std::move(result), now(), news());
                });
              });
}

// The batch is shared with all who read near the head; what is not asked for in it the
// mesh passes over.
std::optional<ReadResult> MeshPart::read_memory(const mesh::ReadEvents& read) const {
  const KnownLog* const known = broker_.logs().find(read.log);
  if (known == nullptr) return {};
  ReadResult result;
  result.first = std::min(known->first, read.after + 1);
  if (auto part = broker_.recent(read.log, read.after)) {
    result.upto = part->upto;
    if (part->gap.empty()) {
      result.batch = std::move(part->batch);
    } else {
      result.gaps.push_back({read.log, read.after + 1, part->upto, std::move(part->gap)});
    }
    return result;
  }
  if (!known->memory) return {};
  // It was in memory only, and is there no more.
  const std::uint64_t next = broker_.oldest_recent(read.log, read.after).value_or(known->head + 1);
  result.upto = std::max(next - 1, read.after);
  if (next > read.after + 1) {
    result.gaps.push_back({read.log, read.after + 1, next - 1, "memory"});
  }
  return result;
}

// The first event in memory recorded at or after `time`; behind the head: none.
std::uint64_t MeshPart::find_in_memory(const KnownLog& log, WallTime time) const {
  std::uint64_t after = 0;
  while (const auto next = broker_.oldest_recent(log.no, after)) {
    const auto part = broker_.recent(log.no, *next - 1);
    for (const EventView& event : part->batch->events()) {
      const bool here = event.position.log() == log.no && event.position.seq() >= *next;
      if (here && event.recorded >= time) return event.position.seq();
    }
    after = part->upto;
  }
  return log.head + 1;
}

void MeshPart::act(mesh::FindSeq& find) {
  const KnownLog* const known = broker_.logs().find(find.log);
  if (known != nullptr && known->memory) {
    mesh_->on_time_found(find.token, find_in_memory(*known, find.time), now(), news());
    return;
  }
  store_.find_time(find.log, find.time,
                   [this, post = post_, token = find.token](Result<std::uint64_t> seq) {
                     post([this, token, seq = std::move(seq)] {
                       mesh_->on_time_found(token, seq, now(), news());
                     });
                   });
}

std::function<void(Status)> MeshPart::hold_saved(const std::string& peer,
                                                 const std::string& stream) {
  return [this, post = post_, peer, stream](Status status) {
    if (status) return;
    post([this, peer, stream, status = std::move(status)] {
      complain("a hold is not as it should be on disk", status);
      mesh_->on_hold_not_saved(peer, stream, now(), news());
    });
  };
}

void MeshPart::act(mesh::PutHold& put) {
  auto saved = hold_saved(put.hold.peer, put.hold.stream);
  store_.put_hold(std::move(put.hold), std::move(saved));
}

void MeshPart::act(mesh::RemoveHold& remove) {
  store_.remove_hold(remove.peer, remove.stream, hold_saved(remove.peer, remove.stream));
}

void MeshPart::act(mesh::ForgetLog& forget) {
  store_.forget_log(forget.log, [this, post = post_](Status status) {
    post([this, status = std::move(status)] { complain("a log is not forgotten", status); });
  });
}

// The store says on_log_opened() of the new logs; what this run wrote goes into them again.
void MeshPart::act(mesh::StartEpochAgain&) {
  std::vector<std::uint32_t> logs;
  for (const auto& [no, log] : broker_.logs().all()) {
    if (!log.copy && log.open) logs.push_back(no);
  }
  log_.warn("mesh", "an epoch of this node has forked; what this run published is published again",
            {{"logs", std::to_string(logs.size())}});
  store_.end_epoch([this, post = post_, logs](Status status) {
    post([this, logs, status = std::move(status)] {
      complain("the epoch does not end", status);
      if (!status) return;
      std::vector<Republisher::Part> parts;  // as far as they went in the end
      for (const std::uint32_t no : logs) {
        if (const KnownLog* const log = broker_.logs().find(no)) parts.push_back({no, log->head});
      }
      republisher_->begin(std::move(parts));
    });
  });
}

void MeshPart::complain(std::string_view what, const Status& status) {
  if (status || status.error().code == Errc::Closed) return;
  log_.error("mesh", fmt::format("{}: {}", what, status.error().message));
}

}  // namespace marram
