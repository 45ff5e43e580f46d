// What one node has on disk, by the contract of core/store, without SQLite.
//
// A value: the simulator copies it to take a backup.  All functions are one transaction.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/event/log_record.h"
#include "core/mesh/values.h"

namespace marram::sim {

struct StoredEvent {
  std::string id;
  std::string topic;
  std::size_t bytes = 0;
  WallTime recorded{};
};

struct ModelLog {
  LogRecord record;
  std::map<std::uint64_t, StoredEvent> events;
  std::map<std::uint64_t, Gap> gaps;  // by from
  std::optional<BackfillRecord> backfill;
};

struct ModelConsumer {
  mesh::Interest interest;
};

class ModelStore {
 public:
  explicit ModelStore(std::string node_id) : node_id_(std::move(node_id)) {}

  // A new run: logs of earlier ones are closed.
  void start(std::uint64_t random);
  std::vector<LogRecord> logs() const;
  MeshRecords mesh_records() const;

  // The log of this run; `is_new` when it was opened for this.
  ModelLog& own_log(const std::string& stream, bool& is_new);
  void append(ModelLog& log, StoredEvent event);
  // Errors: Invalid  `after` is not where the copy stands
  Result<std::uint32_t> write(const CopyWrite& write, bool& is_new);
  void put_hold(const HoldRecord& hold) { holds_[{hold.peer, hold.stream}] = hold; }
  void remove_hold(const std::string& peer, const std::string& stream) {
    holds_.erase({peer, stream});
  }
  void move_hold(const HoldMove& move);
  void save_facts(const MeshFacts& facts) { facts_ = facts; }
  bool forget(std::uint32_t no);
  void end_epoch() {
    open_.clear();
    epoch_.clear();
  }

  Result<ReadResult> read(const mesh::ReadEvents& read) const;
  std::uint64_t find_time(std::uint32_t no, WallTime time) const;

  // Deletes what was recorded before `time`, has been had by all, and is above no pin.  The logs
  // that have changed.
  std::vector<std::uint32_t> trim(WallTime time,
                                  const std::map<std::uint32_t, std::uint64_t>& pins);

  std::map<std::uint32_t, ModelLog>& all() { return logs_; }
  const std::map<std::uint32_t, ModelLog>& all() const { return logs_; }
  ModelLog* find(const LogId& id);
  // Durable readers, with their cursors.
  std::map<std::uint64_t, mesh::Interest>& consumers() { return consumers_; }
  const std::map<std::pair<std::string, std::string>, HoldRecord>& holds() const { return holds_; }

 private:
  std::uint64_t history(std::uint32_t no, const ModelLog& log) const;

  std::string node_id_;
  std::string epoch_;
  std::uint64_t runs_ = 0;
  std::uint64_t random_ = 0;
  std::uint32_t next_no_ = 1;
  std::map<std::string, std::uint32_t> open_;  // by stream
  std::map<std::uint32_t, ModelLog> logs_;
  std::map<std::pair<std::string, std::string>, HoldRecord> holds_;
  std::map<std::uint64_t, mesh::Interest> consumers_;
  MeshFacts facts_;
};

}  // namespace marram::sim
