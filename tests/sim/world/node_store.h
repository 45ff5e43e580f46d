// What one simulated node has on disk: the real committer and reader of core/store, on a
// disk in memory, in virtual time, without their threads.
//
//     open() --crash(): unsynced writes are lost, or not--> closed --put(image)?--> open()
//
// Whoever has it carries out groups of commands with run() and calls tend() when it asks
// for it, as the writer thread does.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/store/committer.h"
#include "core/store/event_reader.h"
#include "tests/crash/memory_disk.h"

namespace marram::sim {

using DiskImage = test::MemoryDisk::Image;

class NodeStore {
 public:
  struct Options {
    std::string node_id;
    StreamTable streams;
    std::uint64_t seed = 0;
  };
  // The rest outlives the object.
  NodeStore(Options options, StoreListener& listener, const Clock& clock);
  ~NodeStore();

  // A new run; `random` names its epoch.  Errors: as Store::open()
  Status open(std::uint64_t random);
  bool is_open() const { return committer_ != nullptr; }
  // The power fails; perhaps while `group` was carried out.
  void crash(std::span<store::Command> group);

  // What Committer says of them; open.
  void run(std::span<store::Command> group) { committer_->run(group); }
  std::optional<Duration> tend(bool idle) { return committer_->tend(idle); }
  MeshRecords mesh_records() const { return committer_->mesh_records(); }
  std::vector<ConsumerRecord> consumers() const { return committer_->consumers(); }

  // Of what is history, what is older goes now, by the rules of retention.
  void trim(Duration older_than);
  // No file can grow any more.
  void set_full(bool full) { disk_.set_full(full); }
  StoreStatus status() const { return board_->status(); }

  // As told last; also while it is closed.
  std::vector<LogRecord> logs() const { return board_->logs(); }
  std::optional<LogRecord> log(std::uint32_t no) const { return board_->log(no); }
  std::optional<LogRecord> find(const LogId& id) const;

  // From the disk.  Errors: as EventReader
  Result<ReadResult> read(const Store::ReadRequest& request);
  Result<std::uint64_t> find_time(std::uint32_t log, WallTime time);
  bool has(const LogId& id, std::uint64_t seq);

  DiskImage image() const { return disk_.image(); }
  // Closed.
  void put(const DiskImage& image);

 private:
  // The world's, but that it can be moved on.
  class StoreClock : public Clock {
   public:
    explicit StoreClock(const Clock& clock) : clock_(clock) {}
    TimePoint now() const override { return clock_.now() + passed_; }
    WallTime wall() const override { return clock_.wall(); }
    void pass(Duration time) { passed_ += time; }

   private:
    const Clock& clock_;
    Duration passed_{};
  };

  Result<store::EventReader*> reader();

  std::string name_;
  test::MemoryDisk disk_;
  std::mt19937_64 random_;
  StoreClock clock_;
  StoreOptions options_;
  StoreListener& listener_;
  std::unique_ptr<store::Board> board_;
  std::unique_ptr<store::Committer> committer_;
  std::unique_ptr<store::Connection> connection_;
  std::unique_ptr<store::EventReader> reader_;
};

}  // namespace marram::sim
