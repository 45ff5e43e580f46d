// The Store on a disk: lock file, writer and reader, put together.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/store/board.h"
#include "core/store/committer.h"
#include "core/store/lock_file.h"
#include "core/store/reader.h"
#include "core/store/store.h"
#include "core/store/writer.h"

namespace marram::store {

class DiskStore : public Store {
 public:
  DiskStore(StoreOptions options, StoreListener& listener, Log& log, const Clock& clock,
            LockFile lock);
  ~DiskStore() override;
  Status start();

  const std::string& node_id() const override { return node_id_; }
  std::vector<LogRecord> logs() const override { return board_.logs(); }
  std::vector<ConsumerRecord> consumers() const override { return consumers_; }
  WallTime last_recorded() const override { return last_recorded_; }
  MeshRecords mesh_records() const override { return mesh_records_; }
  Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                std::uint64_t token) override;
  void put_consumer(ConsumerRecord record, ConsumerDone done) override;
  void remove_consumer(std::uint32_t no, std::function<void(Status)> done) override;
  void save_cursors(std::vector<CursorMove> moves) override;
  void read(ReadRequest request, std::function<void(Result<ReadResult>)> done) override;
  void find_time(std::uint32_t log, WallTime time,
                 std::function<void(Result<std::uint64_t>)> done) override;
  void write_copy(CopyWrite write, CopyDone done) override;
  void put_hold(HoldRecord hold, std::function<void(Status)> done) override;
  void remove_hold(std::string peer, std::string stream, std::function<void(Status)> done) override;
  void move_holds(std::vector<HoldMove> moves, WallTime now) override;
  void set_pins(std::vector<Pin> pins) override;
  void save_facts(MeshFacts facts) override;
  void end_epoch(std::function<void(Status)> done) override;
  void forget_log(std::uint32_t log, std::function<void(Status)> done) override;
  StoreStatus status() const override;
  void close() override;

 private:
  void on_damage();
  // Hands over a command with a `done`, which is told when the store is closed.
  template <class Asked>
  void ask(Asked asked);

  const StoreOptions options_;
  std::optional<LockFile> lock_;  // given up last
  Guarded<bool> closed_;
  Board board_;
  Committer committer_;
  std::string node_id_;
  std::vector<ConsumerRecord> consumers_;
  WallTime last_recorded_{};
  MeshRecords mesh_records_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace marram::store
