// One node of the simulated world: a Mesh, its store, its durable readers.
//
//     Mesh --actions--> queue --a moment--> one group of the committer --> Mesh, readers
//
// What a running node does on three threads is done here on one: commands for the store
// wait for the commit that is under way and are one group then; readers are read to as far
// as they may.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/world/node_store.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

class SimNode : private StoreListener, private Clock {
 public:
  SimNode(World& world, std::size_t index, mesh::MeshOptions options);
  ~SimNode() override;

  static std::string id_of(std::size_t index);
  static std::string address_of(std::size_t index) { return "sim://" + std::to_string(index); }

  void start();
  void crash();
  bool up() const { return mesh_ != nullptr; }
  std::uint64_t run() const { return run_; }
  std::size_t index() const { return index_; }

  // A durable reader; `from`, a seq, is where it starts in every log.  Where the disk takes
  // nothing now, a little later.
  void subscribe(std::uint64_t id, std::vector<std::string> filters, wire::Begin from = {});
  // An ephemeral one, from now on.
  void listen(std::uint64_t id, std::vector<std::string> filters);
  void unsubscribe(std::uint64_t id);
  // Committed and acknowledged a moment later, unless the node crashes first or its disk is full.
  void publish(const std::string& topic, std::size_t count = 1, std::size_t bytes = 100);
  DiskImage backup() const { return store_.image(); }
  void restore(const DiskImage& image) { store_.put(image); }
  void set_full(bool full) {
    was_full_ = was_full_ || full;
    full_in_run_ = full_in_run_ || full;
    full_ = full;
    store_.set_full(full);
  }
  void trim_now(Duration older_than);

  // The reader has had these, over all runs.
  const std::set<std::string>& delivered(std::uint64_t reader) { return delivered_[reader]; }
  std::uint64_t gaps_of(std::uint64_t reader) { return gap_positions_[reader]; }
  bool gap_covers(std::uint64_t reader, const LogId& log, std::uint64_t seq);
  NodeStore& store() { return store_; }
  mesh::Mesh& mesh() { return *mesh_; }
  std::vector<mesh::Report>& reports() { return reports_; }
  const std::map<std::uint64_t, mesh::Interest>& readers() const { return readers_; }
  std::map<std::uint32_t, std::vector<std::uint64_t>>& replicated() { return replicated_; }

  // --- for the world ---
  void on_session_up(const mesh::SessionInfo& session);
  void on_frame(mesh::SessionId session, wire::LinkFrame frame);
  void on_session_down(mesh::SessionId session, const Error& why);
  void on_dial_failed(const std::string& address);
  Duration clock_offset{};
  std::uint64_t heard = 0;  // frames to it that are no signs of life
  // To be weighed; from then on the node does nothing.
  std::unique_ptr<mesh::Mesh> take_mesh() { return std::move(mesh_); }

 private:
  struct Place {
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
  };
  class Answers;
  using Key = std::pair<std::uint64_t, std::uint32_t>;  // reader, log

  // --- from the store, while it carries out a group ---
  void on_committed(EventBatchPtr batch) override;
  void on_copied(const LogRecord& log, const std::vector<Gap>& gaps) override;
  void on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill) override;
  void on_log_forgotten(std::uint32_t log) override;
  void on_log_opened(const LogRecord& log) override;
  void on_cursors_saved(std::vector<CursorMove> moves) override;
  void on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                  std::uint64_t owed) override;
  void on_published(const marram::Published& published);
  // --- its clock ---
  TimePoint now() const override { return world_.time(); }
  WallTime wall() const override { return world_.now(index_).wall; }

  // sim_actions.cc: what the mesh asks for
  void act(mesh::Actions& actions);
  void act(mesh::Action& action);
  void act_on_store(mesh::Action& action);
  void answer(mesh::ReadEvents& read);
  void answer(mesh::FindSeq& find);
  store::Command command_for(mesh::WriteCopy& write);
  std::function<void(Status)> hold_saved(const std::string& peer, const std::string& stream);
  void enqueue(store::Command command);
  void commit();
  void tend();
  void after_store(std::optional<Duration> next);
  void tick();
  void schedule(TimePoint at);

  // sim_readers.cc
  void load_readers();
  void make(mesh::Interest interest);
  void make_later(std::uint64_t id, Duration in);
  bool put_consumer(const mesh::Interest& interest);
  void read_touched();
  void read(std::uint64_t reader, std::uint32_t log);
  void take(std::uint64_t reader, const LogRecord& log, const ReadResult& found,
            std::uint64_t upto);
  void take_gap(std::uint64_t reader, const LogRecord& log, const Gap& gap);
  void move(mesh::Interest& interest, std::uint32_t log, std::uint64_t upto);

  World& world_;
  std::size_t index_;
  mesh::MeshOptions options_;
  NodeStore store_;
  std::shared_ptr<Answers> answers_;
  std::unique_ptr<mesh::Mesh> mesh_;
  std::uint64_t run_ = 0;
  std::vector<store::Command> queue_;
  bool committing_ = false;
  bool was_full_ = false;
  bool full_ = false;
  bool full_in_run_ = false;
  std::optional<TimePoint> scheduled_;
  std::uint64_t tends_ = 0;                           // the newest tend() that is to come
  mesh::Actions out_;                                 // from what the store says
  std::map<std::uint32_t, LogId> ids_;                // of its logs
  std::set<std::uint32_t> open_;                      // those that this run writes
  std::set<std::uint32_t> touched_;                   // logs that readers are to look at
  std::map<std::uint64_t, mesh::Interest> readers_;   // of this run
  std::map<std::uint64_t, std::uint32_t> consumers_;  // durable ones, by reader: their number
  std::map<std::uint64_t, mesh::Interest> wishes_;    // durable readers that are to be made
  std::map<std::uint64_t, TimePoint> made_;           // readers, over all runs
  std::map<Key, Place> places_;
  std::map<Key, std::uint64_t> last_;  // of this run
  std::map<std::uint64_t, std::set<std::string>> delivered_;
  std::map<std::uint64_t, std::uint64_t> gap_positions_;
  std::map<std::uint64_t, std::map<std::string, std::vector<Gap>>> gaps_;
  std::vector<mesh::Report> reports_;
  std::map<std::uint32_t, std::vector<std::uint64_t>> replicated_;
};

}  // namespace marram::sim
