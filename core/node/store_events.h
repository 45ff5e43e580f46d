// Carries what the store's writer says to the broker and the mesh, in order, without waiting.
//
// Batches on the way take at most `bytes_max` of memory: when the loop is that far
// behind, a batch is told as positions only, and readers get it from the disk.
//
// Threads: the writer's; the broker's part runs on the loop thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <vector>

#include "core/base/mailbox.h"
#include "core/delivery/tail.h"
#include "core/node/loop.h"
#include "core/store/store.h"

namespace marram {

class Broker;
class MeshPart;

class StoreEvents : public StoreListener {
 public:
  StoreEvents(Loop& loop, std::size_t bytes_max) : loop_(loop), bytes_max_(bytes_max) {}
  // Before the first submit().
  void set_broker(Broker& broker) { broker_ = &broker; }
  void set_mesh(MeshPart& mesh) { mesh_ = &mesh; }

  void on_committed(EventBatchPtr batch) override;
  void on_log_opened(const LogRecord& log) override;
  void on_cursors_saved(std::vector<CursorMove> moves) override;
  void on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                  std::uint64_t owed) override;
  void on_copied(const LogRecord& log, const std::vector<Gap>& gaps) override;
  void on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill) override;
  void on_log_forgotten(std::uint32_t log) override;
  void on_told() override { loop_.wake(); }

 private:
  struct Dropped {
    std::map<std::uint32_t, std::uint64_t> heads;
    WallTime recorded{};
    bool posted = false;
  };
  void drop(const EventBatch& batch);
  void tell_dropped();

  Loop& loop_;
  const std::size_t bytes_max_;
  Broker* broker_ = nullptr;
  MeshPart* mesh_ = nullptr;  // none: a node without one
  std::atomic<std::size_t> queued_bytes_ = 0;
  Guarded<Dropped> dropped_;
  std::vector<LogRange> ranges_;
};

}  // namespace marram
