// One node of the simulated world: a Mesh, its store, its durable readers.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/world/world.h"

namespace marram::sim {

class SimNode {
 public:
  SimNode(World& world, std::size_t index, mesh::MeshOptions options);

  static std::string id_of(std::size_t index);
  static std::string address_of(std::size_t index) { return "sim://" + std::to_string(index); }

  void start();
  void crash();
  bool up() const { return mesh_ != nullptr; }
  std::uint64_t run() const { return run_; }
  std::size_t index() const { return index_; }

  // A durable reader; `from` is where it starts in every log.
  void subscribe(std::uint64_t id, std::vector<std::string> filters, wire::Begin from = {});
  // An ephemeral one, from now on.
  void listen(std::uint64_t id, std::vector<std::string> filters);
  void unsubscribe(std::uint64_t id);
  // Committed and acknowledged a moment later, unless the node crashes first.
  void publish(const std::string& topic, std::size_t count = 1, std::size_t bytes = 100);
  ModelStore backup() const { return store_; }
  void restore(ModelStore image) { store_ = std::move(image); }
  void set_full(bool full) { full_ = full; }
  void trim_now(Duration older_than);

  // The reader has had these, over all runs.
  const std::set<std::string>& delivered(std::uint64_t reader) { return delivered_[reader]; }
  std::uint64_t gaps_of(std::uint64_t reader) { return gap_positions_[reader]; }
  bool gap_covers(std::uint64_t reader, const LogId& log, std::uint64_t seq);
  ModelStore& store() { return store_; }
  mesh::Mesh& mesh() { return *mesh_; }
  std::vector<mesh::Report>& reports() { return reports_; }
  const std::map<std::uint64_t, mesh::Interest>& readers() const { return readers_; }
  // How often a log is asked of others now: wants sent and not replaced.
  std::map<std::uint32_t, std::vector<std::uint64_t>>& replicated() { return replicated_; }

  // --- for the world ---
  void on_session_up(const mesh::SessionInfo& session);
  void on_frame(mesh::SessionId session, wire::LinkFrame frame);
  void on_session_down(mesh::SessionId session, const Error& why);
  void on_dial_failed(const std::string& address);
  Duration clock_offset{};

 private:
  struct Command {
    std::vector<StoredEvent> events;  // publish
    std::optional<mesh::WriteCopy> write;
    std::function<void()> other;
  };
  struct Place {
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
  };

  void act(mesh::Actions& actions);
  void act(mesh::Action& action);
  void tick();
  void enqueue(Command command);
  void commit();
  void commit(Command& command, mesh::Actions& out);
  void publish_now(Command& command, mesh::Actions& out);
  void write_now(mesh::WriteCopy& action, mesh::Actions& out);
  void read_all(std::uint32_t log);
  void read(std::uint64_t reader, std::uint32_t log);
  void trim();
  void schedule(TimePoint at);

  World& world_;
  std::size_t index_;
  mesh::MeshOptions options_;
  ModelStore store_;
  std::unique_ptr<mesh::Mesh> mesh_;
  std::uint64_t run_ = 0;
  bool full_ = false;
  std::deque<Command> queue_;
  bool committing_ = false;
  std::optional<TimePoint> scheduled_;
  std::map<std::uint32_t, std::uint64_t> pins_;
  std::map<std::uint64_t, mesh::Interest> readers_;  // of this run; durable ones are in the store
  std::map<std::pair<std::uint64_t, std::uint32_t>, Place> places_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> last_;  // of this run
  std::map<std::uint64_t, std::set<std::string>> delivered_;
  std::map<std::uint64_t, std::uint64_t> gap_positions_;
  std::map<std::uint64_t, std::map<std::string, std::vector<Gap>>> gaps_;
  std::vector<mesh::Report> reports_;
  std::map<std::uint32_t, std::vector<std::uint64_t>> replicated_;
};

}  // namespace marram::sim
