// Events, cursors and consumers on SQLite: what Marram has accepted.
//
// A Store is a writer thread with the one write connection, and a reader thread
// with a read-only one.  The writer commits all that queued up while the last
// commit ran in one transaction (natural group commit), then completes all of
// it; a lone publisher pays one sync, a thousand share it.
//
// Durability: submit() is answered after the commit, synced as the stream asks.
// After a failed sync nothing of that transaction is acknowledged; the writer
// closes the database and opens it again, or stays failed and refuses.
//
// Threads: all public functions may be called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/result.h"
#include "core/event/bus.h"
#include "core/event/stream.h"
#include "core/store/records.h"

namespace marram {

struct StoreOptions {
  std::filesystem::path data_dir;  // made, 0700, when it is not there
  std::string node_name;
  // The id that this node's logs get; empty: one that is made with the database, and stays.
  // With another one than before, what is stored becomes copies of another node's logs.
  std::string node_id;
  StreamTable streams;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  double reserve_free_share = 0.05;  // of the file system: refuse before it is full
  // A durable consumer without a member, or a moving cursor, for so long stops holding
  // events back.
  Duration hold_idle_max = std::chrono::hours(24 * 30);
  Limits limits;
  // A SQLite VFS by name, for tests that cut the power; empty: the system's.
  std::string vfs;
  // The random part of an epoch's name, for tests that can be replayed; empty: anything.
  std::function<std::string()> epoch_random;
};

// Is told what the writer did, on the writer's thread, in order.  Must hand over
// and return; must not call the Store.
class StoreListener {
 public:
  virtual ~StoreListener() = default;
  // `batch` is committed; every event has its position.  Positions of one log grow from
  // batch to batch: without holes in a log that this run writes; in a copy the holes are
  // what does not match, or gaps, and on_copied() says how far it is complete.
  // Comes before the submitter's answer.
  virtual void on_committed(EventBatchPtr batch) = 0;
  // A CopyWrite to the main copy is committed: `log` is how it stands now (head is the new upto).
  // Events that it brought were told by on_committed() just before; `gaps` are those
  // in the stretch.  Comes before the writer's answer.
  // Also told, without gaps, of a log of this run that is closed from now on: after end_epoch(),
  // and after the disk has failed.
  virtual void on_copied(const LogRecord& /*log*/, const std::vector<Gap>& /*gaps*/) {}
  // A backfill moved, ended (empty) or began; its events are not told: below the head readers
  // ask the disk.
  virtual void on_backfilled(const LogRecord& /*log*/,
                             const std::optional<BackfillRecord>& /*backfill*/) {}
  // A log is forgotten: forget_log() is on disk, or it was in memory and the disk has failed.
  // Its number is never used again.
  virtual void on_log_forgotten(std::uint32_t /*log*/) {}
  // A log that this run writes opened, or a copy's first write is about to be told.  Comes
  // before its first on_committed.
  virtual void on_log_opened(const LogRecord& log) = 0;
  // Moves given to save_cursors() are on disk.
  virtual void on_cursors_saved(std::vector<CursorMove> moves) = 0;
  // Events below `first` of a log are gone.  `owed`: so many were no history, but dropped
  // from under a durable reader or a hold, for gap.reason.
  virtual void on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                          std::uint64_t owed) = 0;
  // What on_committed() told may be looked at now: its submitters have been answered.
  virtual void on_told() {}
};

class Store {
 public:
  // Opens or makes `data_dir/marram.db`.  A damaged database is set aside as
  // marram.db.bad-<time>, what reads is salvaged, and status().quarantined says so.
  //
  // Errors: Busy     another process owns data_dir; the message has its process id
  //         Version  written by a newer Marram
  //         Io       with path and cause
  static Result<std::unique_ptr<Store>> open(StoreOptions options, StoreListener& listener,
                                             Log& log, const Clock& clock = Clock::system());
  virtual ~Store() = default;  // closes

  // What was stored when the store was opened, before any submit().
  virtual const std::string& node_id() const = 0;
  virtual std::vector<LogRecord> logs() const = 0;            // a snapshot, by number
  virtual std::vector<ConsumerRecord> consumers() const = 0;  // as at open()
  // Of the last commit before open(); zero when there was none.
  virtual WallTime last_recorded() const = 0;

  // Appends a batch.  Every event goes to the log of its topic's stream and this
  // run; streams that are full refuse theirs, the rest is stored.
  // Errors, with `batch` left to the caller as it was: Overloaded, Closed
  virtual Status submit(std::unique_ptr<EventBatch>&& batch, ListenerPtr listener,
                        std::uint64_t token) = 0;

  // Makes a consumer (no 0), with its cursors, or replaces filters, attributes and
  // seen of the one with that number.  `done` runs on the writer's thread after the commit.
  using ConsumerDone = std::function<void(Result<std::uint32_t> no)>;
  virtual void put_consumer(ConsumerRecord record, ConsumerDone done) = 0;
  virtual void remove_consumer(std::uint32_t no, std::function<void(Status)> done) = 0;

  // Saved with the next commit, or by themselves soon after; a move never goes back.
  virtual void save_cursors(std::vector<CursorMove> moves) = 0;

  // Reads events of `log` after `after`, matching one of `filters` (empty: all), on
  // the reader's thread: up to `events_max` and about `bytes_max`, looking at no
  // more than a bounded number of rows.  `done` runs on the reader's thread.
  struct ReadRequest {
    std::uint32_t log;
    std::uint64_t after;
    std::vector<FilterRecord> filters;
    std::size_t events_max = 512;
    std::size_t bytes_max = 512 << 10;
  };
  virtual void read(ReadRequest request, std::function<void(Result<ReadResult>)> done) = 0;

  // The first seq of `log` recorded at or after `time`; head + 1 when there is none.
  virtual void find_time(std::uint32_t log, WallTime time,
                         std::function<void(Result<std::uint64_t>)> done) = 0;

  // --- for the mesh ---
  // NOLINTBEGIN(performance-unnecessary-value-param): a store that keeps copies moves them.

  // As at open().
  virtual MeshRecords mesh_records() const { return {}; }

  // Stores a stretch of a copy; see CopyWrite for what is one transaction.  Writes are
  // carried out in order, together with whatever else queued up.  A batch on `memory` streams is
  // numbered and told like any other, and is not on disk.  `done` runs on the writer's thread
  // after the commit, with the log's number.
  // Errors, to `done`: Invalid  `after` is not where the copy stands
  //                    Full     no room: nothing was stored; try again later
  //                    Io, Closed: it may turn out to be stored all the same; on_copied() and
  //                    on_backfilled() tell how the copy stands when the disk is back
  // Full never drops what is owed to a reader here, but for streams with drop-oldest.
  using CopyDone = std::function<void(Result<std::uint32_t> log)>;
  virtual void write_copy(CopyWrite /*write*/, CopyDone done) { done(no_mesh()); }

  // Makes or replaces a hold; on disk when `done` runs.
  virtual void put_hold(HoldRecord /*hold*/, std::function<void(Status)> done) { done(no_mesh()); }
  // Forgets it; of a hold that is not there nothing.
  virtual void remove_hold(std::string /*peer*/, std::string /*stream*/,
                           std::function<void(Status)> done) {
    done(no_mesh());
  }
  // Saved with the next commit, or by themselves soon after; a move never goes back
  // (put_hold() may), and a log without an entry gets one.  `contact` of the peers is set to
  // `now`, on disk within a minute.  Moves of holds or logs that are not there are passed over.
  virtual void move_holds(std::vector<HoldMove> /*moves*/, WallTime /*now*/) {}
  // Replaces all pins.  In memory only.
  virtual void set_pins(std::vector<Pin> /*pins*/) {}

  // Saved with the next commit, or by themselves soon after.
  virtual void save_facts(MeshFacts /*facts*/) {}

  // The next event that is published here opens a new epoch, with a start number above
  // `runs` of the facts.  The logs of this run are closed by then: `open` becomes false.
  virtual void end_epoch(std::function<void(Status)> done) { done(no_mesh()); }

  // Forgets a closed log that has no events: its row, gaps, cursors, backfill and hold entries in
  // one transaction; of a log that is not there nothing.  Without it a log is forgotten at the
  // next open() only if it was in memory, or is this node's own, finished, and the mesh has
  // never been here (no map_number, no hold).
  // Errors, to `done`: Invalid  it has events, or is open
  virtual void forget_log(std::uint32_t /*log*/, std::function<void(Status)> done) {
    done(no_mesh());
  }
  // NOLINTEND(performance-unnecessary-value-param)

  // Retention, with copies.  History is, of every log, what all durable consumers here, all holds
  // and all pins have had; `retain`, `ttl`, `max_bytes` and `on_full` of the stream of that name
  // apply to copies as to the node's own logs.  Nothing of a copy made a moment ago (30 s) is
  // history, so that the mesh can say for whom it is.  Trimming moves `first` (and whole_from and
  // the filters' `from`, if they were below) and records a gap only (a) in this run's open logs,
  // for whatever goes, and (b) anywhere, for what ttl or drop-oldest took from under a reader or a
  // hold.  read() over a stretch below `first` of a copy answers no gap for it: nobody here knows
  // what was there.

  virtual StoreStatus status() const = 0;

  // Refuses new work, commits what was taken, checkpoints, closes.  Idempotent.
  virtual void close() = 0;

 protected:
  static tl::unexpected<Error> no_mesh() {
    return fail(Errc::Unsupported, "store: does not keep copies of other nodes' logs");
  }
};

}  // namespace marram
