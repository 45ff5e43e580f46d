// Many nodes on one thread, in virtual time, with a network and disks that fail as a seed
// says.
//
// A node here is the real Mesh with the real store, durable readers that follow Readable, and
// nothing else.  The world knows what was
// published, stored and delivered where, and checks at every step:
//
// - no position names two events;
// - a reader sees a log's events in order;
// - a peer costs no more than a window of memory in each direction;
// and, in finish(), when all is healed:
// - every event that was acknowledged reached every reader that it matches, or a gap says why;
// - nothing but signs of life is said any more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/mesh/mesh.h"

namespace marram::sim {

class SimNode;

struct WorldOptions {
  std::uint64_t seed = 1;
  Duration latency_max = std::chrono::milliseconds(20);
  Duration commit_max = std::chrono::milliseconds(10);
  std::optional<Duration> retain;  // history goes after that
  Duration hold_away_max = std::chrono::hours(24 * 30);
  Duration stuck_max = std::chrono::hours(24);
  bool codec = false;                  // frames go through bytes
  std::uint64_t bytes_per_second = 0;  // of every connection; 0: any
  bool trace = false;
};

struct Published {
  std::string topic;
  LogId log;
  std::uint64_t seq = 0;
  bool acknowledged = false;
};

class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  // --- nodes and wires; nodes are named by index ---
  std::size_t add_node(const std::vector<std::size_t>& dials, mesh::MeshOptions with = {});
  SimNode& node(std::size_t index) { return *nodes_[index]; }
  std::size_t size() const { return nodes_.size(); }
  void crash(std::size_t index);
  void start(std::size_t index);
  // Between the two nothing goes; `silently`: who is connected does not notice.
  void cut(std::size_t a, std::size_t b, bool silently = false);
  void heal(std::size_t a, std::size_t b);
  void heal_all();

  // --- time ---
  void run_for(Duration time);
  // Until nobody has anything to do but signs of life; false: not within `most`.
  bool settle(Duration most = std::chrono::minutes(5));
  mesh::Now now(std::size_t node) const;
  TimePoint time() const { return now_; }
  void at(Duration in, std::function<void()> what);
  std::mt19937_64& random() { return random_; }
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  // --- what it knows ---
  void expect(bool ok, const std::string& what);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  void check_delivered();
  // When all had their events, and retention and the store's grace for new copies have passed.
  void check_nothing_kept();
  // Positions that readers got gaps for, by reason; not what its origin had trimmed before there
  // was the reader.
  std::map<std::string, std::uint64_t> gaps;
  std::map<std::string, Published> published;  // by id
  // Events that crossed a connection, and those that were stored by it.
  std::uint64_t crossed = 0;
  std::uint64_t copied = 0;
  std::uint64_t late = 0;  // of those that crossed: came for a want that was over by then
  std::uint64_t frames = 0;
  std::uint64_t chatter = 0;        // frames that are no signs of life
  std::uint64_t encoded_bytes = 0;  // of all frames, where they go through bytes
  const WorldOptions& options() const { return options_; }

  // --- for nodes ---
  void note_stored(const LogId& log, std::uint64_t seq, const std::string& id);
  // `full`: by a node whose disk is full, where history goes at once, unless it is owed.
  void note_trimmed(const LogId& log, std::uint64_t first, bool full);
  // Up to where the origin had trimmed the log before a reader was made at that node then, or
  // before word of what it needs had come from there to the origin, or for lack of room.
  std::uint64_t trimmed_by(const LogId& log, std::size_t node, TimePoint made) const;
  void note_published(const std::string& id, const LogId& log, std::uint64_t seq);
  void dial(SimNode& from, const mesh::Dial& dial);
  void send(SimNode& from, mesh::SessionId session, wire::LinkFrame frame);
  void send(SimNode& from, const mesh::SendData& data);
  void hang_up(SimNode& from, const mesh::HangUp& hang_up);
  void trace(const std::string& line);
  void check_memory(SimNode& node);

 private:
  struct Task {
    TimePoint at;
    std::uint64_t number;
    std::function<void()> run;
    bool operator>(const Task& other) const {
      return std::tie(at, number) > std::tie(other.at, other.number);
    }
  };
  struct Connection {
    std::size_t ends[2];
    std::uint64_t runs[2];  // of the nodes, when it was made
    TimePoint free[2];      // when the next frame can leave that end
    Duration latency;
    bool dead = false;
  };
  using Needs = std::map<std::size_t, TimePoint>;  // by node: when word of its needs left it last
  using Pair = std::pair<std::size_t, std::size_t>;
  static Pair pair(std::size_t a, std::size_t b) { return {std::min(a, b), std::max(a, b)}; }
  void note_want(const SimNode& from, mesh::SessionId session, const wire::LinkFrame& frame);
  struct Told {
    std::size_t from = 0;
    std::map<std::string, Needs> streams;
    std::map<std::string, Needs> expected;  // by stream: of the neighbour itself
    std::vector<std::pair<LogId, Needs>> logs;
  };
  Needs& needs_heard(std::size_t node, const LogId& log);
  Told needs_told(const SimNode& from, const wire::LinkFrame& frame);
  void note_heard(std::size_t to, const wire::LinkFrame& frame);
  void note_needs(std::size_t to, const Told& told);
  void transmit(SimNode& from, mesh::SessionId session, wire::LinkFrame frame, std::size_t bytes);
  void close(mesh::SessionId session, std::size_t told, const Error& why);

  WorldOptions options_;
  std::mt19937_64 random_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t tasks_ = 0;
  std::priority_queue<Task, std::vector<Task>, std::greater<>> queue_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::map<mesh::SessionId, Connection> connections_;
  mesh::SessionId next_session_ = 1;
  std::set<Pair> cut_;
  // By session, log and kind: the number of the want that stands; and those that are over.
  std::map<std::tuple<mesh::SessionId, std::string, wire::WantKind>, std::uint64_t> wants_;
  std::set<std::pair<mesh::SessionId, std::uint64_t>> over_;
  std::set<std::tuple<mesh::SessionId, std::uint64_t, std::size_t>> askers_;  // of wants, nodes
  // By log and seq: the id.
  std::unordered_map<std::string, std::unordered_map<std::uint64_t, std::string>> positions_;
  struct Trim {
    TimePoint at;
    std::uint64_t first;  // after it
    Needs known;          // to the origin, and to those with a whole copy of what went
  };
  std::map<std::string, std::vector<Trim>> trims_;  // by log
  // What a node has heard of others' needs of a log: word of them goes with every standing WANT
  // and every ACK, and on with those of who heard it.  Of a log that is new to it: who needs the
  // stream.
  std::map<std::pair<std::size_t, std::string>, Needs> heard_of_log_;  // text
  std::map<std::pair<std::size_t, std::string>, std::map<std::size_t, Needs>>
      heard_of_stream_;                                               // name; by teller
  std::map<std::pair<std::size_t, std::string>, Needs> expected_of_;  // name
  std::string failure_;
};

}  // namespace marram::sim
