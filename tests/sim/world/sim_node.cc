#include "tests/sim/world/sim_node.h"

#include <fmt/format.h>

#include <algorithm>

namespace marram::sim {

// What was published is told to its node.
class SimNode::Answers : public Listener {
 public:
  explicit Answers(SimNode& node) : node_(node) {}
  void notify(Notice notice) override { node_.on_published(std::get<marram::Published>(notice)); }

 private:
  SimNode& node_;
};

SimNode::SimNode(World& world, std::size_t index, mesh::MeshOptions options)
    : world_(world),
      index_(index),
      options_(std::move(options)),
      store_({id_of(index), options_.streams, world.options().seed * 1000 + index}, *this, *this),
      answers_(std::make_shared<Answers>(*this)) {}

SimNode::~SimNode() = default;

std::string SimNode::id_of(std::size_t index) {
  std::string text = std::to_string(index);
  return "node-" + std::string(4 - std::min<std::size_t>(text.size(), 4), '0') + text;
}

void SimNode::start() {
  ++run_;
  const auto opened = store_.open(world_.random()());
  world_.expect(opened.has_value(),
                "a store does not open: " + (opened ? std::string() : opened.error().message));
  if (!opened) return;
  options_.instance = std::to_string(world_.random()());
  options_.random_seed = world_.random()();
  committing_ = false;
  scheduled_.reset();
  mesh_ = std::make_unique<mesh::Mesh>(options_, store_.logs(), store_.mesh_records(),
                                       world_.now(index_));
  for (const LogRecord& log : store_.logs()) {
    ids_[log.no] = log.id;
    // Some writes of before a crash come to the disk though nobody was told.
    if (log.id.origin == id_of(index_) && log.first > 1)
      world_.note_trimmed(log.id, log.first, full_in_run_);
  }
  full_in_run_ = full_;
  load_readers();
  mesh::Actions out;
  for (const auto& [id, interest] : readers_) {
    mesh_->put_interest(interest, world_.now(index_), out);
  }
  act(out);
  tick();
  after_store(store_.tend(true));
}

void SimNode::crash() {
  if (!up()) return;
  mesh_.reset();
  store_.crash(committing_ ? std::span(queue_) : std::span<store::Command>());
  queue_.clear();
  out_.clear();
  ids_.clear();
  open_.clear();
  touched_.clear();
  places_.clear();
  last_.clear();
  readers_.clear();
  consumers_.clear();
  ++run_;
}

void SimNode::publish(const std::string& topic, std::size_t count, std::size_t bytes) {
  if (!up()) return;
  auto batch = std::make_unique<EventBatch>();
  UuidMaker ids;
  const std::string payload(bytes, 'x');
  for (std::size_t i = 0; i < count; ++i) {
    const std::string id = id_of(index_) + "/" + std::to_string(world_.published.size());
    world_.published[id].topic = topic;
    EventView event;
    event.topic = topic;
    event.id = id;
    event.payload = payload;
    batch->add(event, wall(), ids);
  }
  enqueue(store::SubmitCommand{std::move(batch), answers_, 0});
}

void SimNode::trim_now(Duration older_than) {
  if (!up()) return;
  store_.trim(older_than);
  after_store(store_.tend(true));
}

// --- from the store ---

void SimNode::on_committed(EventBatchPtr batch) {
  if (!up()) return;
  std::map<std::uint32_t, mesh::Head> heads;
  for (const EventView& event : batch->events()) {
    const std::uint32_t no = event.position.log();
    touched_.insert(no);
    world_.note_stored(ids_[no], event.position.seq(), event.id_text());
    if (open_.contains(no)) heads[no] = {no, event.position.seq(), event.id_text()};
  }
  for (const auto& [no, head] : heads) {
    mesh_->on_committed({&head, 1}, world_.now(index_), out_);
  }
}

void SimNode::on_published(const marram::Published& published) {
  if (!up()) return;
  const auto& events = published.batch->events();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!published.results.empty() && !published.results[i]) {
      world_.trace(id_of(index_) + " refuses: " + published.results[i].error().message);
      continue;
    }
    const Position at = events[i].position;
    world_.note_published(events[i].id_text(), ids_[at.log()], at.seq());
  }
}

void SimNode::on_log_opened(const LogRecord& log) {
  if (!up()) return;
  ids_[log.no] = log.id;
  if (log.open) open_.insert(log.no);
  touched_.insert(log.no);
  mesh_->on_log_opened(log, world_.now(index_), out_);
}

void SimNode::on_copied(const LogRecord& log, const std::vector<Gap>&) {
  if (!up()) return;
  world_.trace(fmt::format("{} has {} {} upto {} whole {}", id_of(index_), log.no, log.id.text(),
                           log.head, log.whole_from));
  if (!log.open) open_.erase(log.no);
  touched_.insert(log.no);
  mesh_->on_copied(log, world_.now(index_), out_);
}

void SimNode::on_backfilled(const LogRecord& log, const std::optional<BackfillRecord>& backfill) {
  if (!up()) return;
  world_.trace(fmt::format("{} has {} {} whole {} backfill {}", id_of(index_), log.no,
                           log.id.text(), log.whole_from,
                           backfill ? std::to_string(backfill->upto) : "none"));
  touched_.insert(log.no);
  mesh_->on_backfilled(log, backfill, world_.now(index_), out_);
}

void SimNode::on_log_forgotten(std::uint32_t log) {
  if (!up()) return;
  for (auto& [id, interest] : readers_) interest.cursors.erase(log);
  mesh_->on_log_forgotten(log, world_.now(index_), out_);
}

void SimNode::on_cursors_saved(std::vector<CursorMove> moves) {
  if (!up()) return;
  for (const CursorMove& move : moves) {
    const auto reader = std::find_if(consumers_.begin(), consumers_.end(),
                                     [&](const auto& one) { return one.second == move.consumer; });
    if (reader == consumers_.end()) continue;
    mesh_->move_cursor(reader->first, move.log, move.upto, world_.now(index_), out_);
  }
}

void SimNode::on_trimmed(std::uint32_t log, std::uint64_t first, const Gap& gap,
                         std::uint64_t owed) {
  if (!up()) return;
  world_.trace(fmt::format("{} trims {} below {}", id_of(index_), log, first));
  world_.expect(owed == 0, fmt::format("{} trims {}..{} of log {}, which somebody has not had",
                                       id_of(index_), gap.from, gap.to, log));
  if (ids_[log].origin == id_of(index_)) world_.note_trimmed(ids_[log], first, full_in_run_);
  mesh_->on_trimmed(log, first, world_.now(index_), out_);
}

// --- from the world ---

void SimNode::on_session_up(const mesh::SessionInfo& session) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_session_up(session, world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::on_frame(mesh::SessionId session, wire::LinkFrame frame) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_frame(session, std::move(frame), world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::on_session_down(mesh::SessionId session, const Error& why) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_session_down(session, why, world_.now(index_), out);
  act(out);
  tick();
}

void SimNode::on_dial_failed(const std::string& address) {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_dial_failed(address, false, world_.now(index_), out);
  act(out);
  tick();
}

}  // namespace marram::sim
